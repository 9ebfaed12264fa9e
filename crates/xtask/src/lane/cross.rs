use super::Lane;
use crate::command::Cmd;
use crate::debian_rust::{self, build_for, with_debian_rust};
use crate::error::Error;
use crate::need::Need;
use crate::session::Session;

const ARM64: &str = "aarch64-unknown-linux-gnu";

pub(super) const LANE: Lane = Lane {
    name: "cross",
    shows: "that macOS and FreeBSD compile, and that ARM64 Linux passes its tests under QEMU",
    needs: &[
        Need::Subcommand("cargo-nextest"),
        debian_rust::RUSTC,
        debian_rust::SOURCES,
        Need::Package {
            name: "gcc",
            provides: "cc",
        },
        Need::Package {
            name: "gcc-aarch64-linux-gnu",
            provides: "aarch64-linux-gnu-gcc",
        },
        Need::Package {
            name: "libc6-dev-arm64-cross",
            provides: "/usr/aarch64-linux-gnu/include/stdio.h",
        },
        Need::Package {
            name: "qemu-user-static",
            provides: "qemu-aarch64-static",
        },
    ],
    run,
};

fn run(session: &mut Session) -> Result<(), Error> {
    for target in [
        "x86_64-apple-darwin",
        "aarch64-apple-darwin",
        "x86_64-unknown-freebsd",
    ] {
        session.check(
            with_debian_rust(Cmd::cargo())
                .args(["check", "--workspace", "--exclude=xtask", "--all-targets"])
                .args(build_for(target))
                .limit_seconds(900),
        )?;
    }
    session.check(
        for_arm64(Cmd::cargo())
            .args(["build", "--workspace", "--exclude=xtask", "--bins"])
            .args(build_for(ARM64))
            .limit_seconds(900),
    )?;
    session.check(
        for_arm64(Cmd::cargo())
            .args(["nextest", "run", "--workspace", "--exclude=xtask", "--lib"])
            .args(["-E", WITHOUT_TREES])
            .args(build_for(ARM64))
            .limit_seconds(900),
    )
}

/// QEMU's user emulation knows no `PR_SET_CHILD_SUBREAPER`, without which there is no tree.
const WITHOUT_TREES: &str = "not test(/^(task|probe)::tests::/)";

fn for_arm64(cargo: Cmd) -> Cmd {
    with_debian_rust(cargo)
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
            "aarch64-linux-gnu-gcc",
        )
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
            "qemu-aarch64-static -L /usr/aarch64-linux-gnu",
        )
}
