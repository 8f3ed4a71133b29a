use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The library's generator: ChaCha with 8 rounds, whose stream is the same on every machine and
/// in every release.
pub type Rng = ChaCha8Rng;

/// A generator that the seed alone determines.
///
/// ```
/// use mixtures::{math::rng, rand::RngExt};
///
/// assert_eq!(rng(7).random::<u64>(), rng(7).random::<u64>());
/// ```
pub fn rng(seed: u64) -> Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// The `stream`-th of 2⁶⁴ independent generators of one seed: one for each restart, whatever
/// thread runs it.
pub fn rng_stream(seed: u64, stream: u64) -> Rng {
    let mut rng = rng(seed);
    rng.set_stream(stream);
    rng
}
