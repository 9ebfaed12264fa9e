//! Debian's Rust compiler. Its sources of the standard library are packaged, so any target can be
//! built with nothing but packages.

use crate::command::Cmd;
use crate::need::Need;
use crate::workspace;

pub(crate) const RUSTC: Need = Need::Package {
    name: "rustc-web",
    provides: "/usr/bin/rustc",
};

pub(crate) const SOURCES: Need = Need::Package {
    name: "rust-web-src",
    provides: "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
};

/// `command` (cargo, or a tool that runs it) with Debian's compiler and a target directory for all
/// targets that are not this machine's.
pub(crate) fn with_debian_rust(command: Cmd) -> Cmd {
    command
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTDOC", "/usr/bin/rustdoc")
        // `-Zbuild-std` is not stable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", workspace::target("cross"))
}

/// Arguments to cargo that build `target` with its standard library. The parts of that are the same
/// everywhere, so that it is built once a target.
pub(crate) fn build_for(target: &str) -> [&str; 3] {
    ["-Zbuild-std=std,panic_abort,test", "--target", target]
}
