use std::env::{self, consts::EXE_SUFFIX};
use std::path::PathBuf;

/// Where the program `winddown-stubborn` is, which does whatever programs do wrong when they are asked to stop.
///
/// `winddown-stubborn --help` lists its behaviours. Each prints `ready` once it is set up, and `child PID` for each process
/// that it started. None lives longer than two minutes (or `WINDDOWN_STUBBORN_LIFE`).
///
/// It is looked for beside the running test, where `cargo build -p winddown-testkit --bins` and `cargo test --workspace` put
/// it, and then in `PATH`, where `cargo install winddown-testkit` puts it.
///
/// # Panics
/// When it is at neither place.
#[must_use]
pub fn stubborn_program() -> PathBuf {
    let name = format!("winddown-stubborn{EXE_SUFFIX}");
    let test = env::current_exe().expect("a test knows its own executable");
    let beside = test.ancestors().skip(1).take(2).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    beside
        .chain(env::split_paths(&path))
        .map(|directory| directory.join(&name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is not built: run `cargo build -p winddown-testkit --bins` first")
        })
}
