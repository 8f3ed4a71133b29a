//! Errors.

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A figure could not be drawn or written.
    #[error("figure `{name}`: {reason}")]
    Figure {
        /// The name the figure was to be saved under.
        name: String,
        /// The cause and its cure.
        reason: String,
    },
}
