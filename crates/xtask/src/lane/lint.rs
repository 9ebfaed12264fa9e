use std::fs;
use std::path::PathBuf;

use super::Lane;
use crate::command::Cmd;
use crate::error::Error;
use crate::need::Need;
use crate::session::Session;
use crate::workspace;

/// The oldest supported compiler, as Debian 12 packages it: it runs where it is unpacked.
const MSRV_PACKAGES: [&str; 4] = [
    "rustc-web=1.85.*",
    "libstd-rust-web-1.85=1.85.*",
    "libstd-rust-web-dev=1.85.*",
    "libllvm19",
];

pub(super) const LANE: Lane = Lane {
    name: "lint",
    shows: "formatting, lints, documentation, dependencies and the oldest supported compiler",
    needs: &[
        Need::Package {
            name: "gcc",
            provides: "cc",
        },
        Need::Subcommand("cargo-deny"),
        Need::Made {
            what: "rustc 1.85",
            is_there: || msrv_file("bin/rustc").exists(),
            make: unpack_msrv,
        },
    ],
    run,
};

fn run(session: &mut Session) -> Result<(), Error> {
    session.check(Cmd::cargo().args(["fmt", "--all", "--check"]))?;
    session.check(
        Cmd::cargo()
            .args(["clippy", "--workspace", "--all-targets", "--all-features"])
            .args(["--", "-D", "warnings"])
            .limit_seconds(900),
    )?;
    session.check(
        Cmd::cargo()
            .args(["doc", "--workspace", "--no-deps", "--all-features"])
            .env("RUSTDOCFLAGS", "-D warnings")
            .limit_seconds(900),
    )?;
    session.check(
        Cmd::cargo()
            .args([
                "check",
                "--workspace",
                "--all-targets",
                "--all-features",
                "--locked",
            ])
            .env("RUSTC", msrv_file("bin/rustc"))
            .env("LD_LIBRARY_PATH", msrv_file("lib/x86_64-linux-gnu"))
            .env("CARGO_TARGET_DIR", workspace::target("msrv/build"))
            .limit_seconds(900),
    )?;
    session.check(Cmd::cargo().args(["deny", "check", "bans", "licenses", "sources"]))
}

fn unpack_msrv() -> Result<(), Error> {
    let directory = workspace::target("msrv/packages");
    fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
    Cmd::new("apt-get")
        .args(["download", "--quiet=2"])
        .args(MSRV_PACKAGES)
        .directory(&directory)
        .run()?
        .0?;
    for package in fs::read_dir(&directory).map_err(Error::file(&directory))? {
        let package = package.map_err(Error::file(&directory))?;
        Cmd::new("dpkg-deb")
            .arg("--extract")
            .arg(package.path())
            .arg(workspace::target("msrv/root"))
            .run()?
            .0?;
    }
    fs::remove_dir_all(&directory).map_err(Error::file(&directory))
}

fn msrv_file(path: &str) -> PathBuf {
    workspace::target("msrv/root/usr").join(path)
}
