use anyhow::bail;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("preprocess") => xtask::preprocess::run_as_command(),
        other => bail!("unknown subcommand {other:?}: try `preprocess`"),
    }
}
