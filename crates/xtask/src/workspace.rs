//! Where things are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this package is in crates/xtask")
        .to_owned()
});

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    &ROOT
}

/// `target/NAME`: state that a lane keeps from run to run.
pub(crate) fn target(name: &str) -> PathBuf {
    ROOT.join("target").join(name)
}

/// `PATH`, with the tools that setup installed and the system programs that the `PATH` of a plain
/// user leaves out.
pub(crate) fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(target("tools/bin"))
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin".into(), "/sbin".into()]);
    std::env::join_paths(directories).unwrap_or(path)
}

/// The file called `program` in [`search_path`].
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path())
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
