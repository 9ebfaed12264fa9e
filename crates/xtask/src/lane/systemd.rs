//! A real systemd, booted in a container from a Debian root that setup makes.
//!
//! Tests run outside and reach in: `nsenter --target $WINDDOWN_SYSTEMD_LEADER --all systemctl ...`
//! runs a command, and `/proc/$WINDDOWN_SYSTEMD_LEADER/root/run/systemd/system` takes unit files.
//! The build is mounted inside at its own path.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::Lane;
use crate::command::{self, Cmd};
use crate::error::Error;
use crate::need::Need;
use crate::session::Session;
use crate::{targets, workspace};

pub(super) const LANE: Lane = Lane {
    name: "systemd",
    shows: "services of a real systemd: readiness, extension, watchdog, socket activation",
    needs: &[
        Need::Root,
        Need::Subcommand("cargo-nextest"),
        Need::Package {
            name: "systemd-container",
            provides: "systemd-nspawn",
        },
        Need::Package {
            name: "util-linux",
            provides: "nsenter",
        },
        Need::Package {
            name: "debootstrap",
            provides: "debootstrap",
        },
        Need::Made {
            what: "a Debian root with systemd",
            is_there: || root_is_complete().exists(),
            make: make_root,
        },
    ],
    run,
};

fn run(session: &mut Session) -> Result<(), Error> {
    let names = targets::of_lane("systemd")?;
    targets::build_programs(session)?;
    let log = workspace::target("systemd/boot.log");
    let build = bind("--bind-ro=", workspace::target("debug"));
    let mut container = boot(build).spawn_into(&log, &log)?;
    let leader = wait_for_leader(container.id())?;
    wait_until_booted(&leader)?;
    session.check(
        Cmd::cargo()
            .args(["nextest", "run", "--workspace", "--profile=processes"])
            .args(targets::arguments(&names))
            .env("WINDDOWN_SYSTEMD_LEADER", &leader)
            .limit_seconds(1200),
    )?;
    session.prepare(enter(&leader).args(["systemctl", "poweroff"]))?;
    command::wait(&mut container, Duration::from_secs(60), "systemd-nspawn")?;
    Ok(())
}

/// Boots the container, in which also `bind` is to be seen.
pub(crate) fn boot(bind: OsString) -> Cmd {
    Cmd::new("systemd-nspawn")
        .args([
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--console=pipe",
        ])
        .arg("--directory")
        .arg(root())
        .arg(bind)
}

/// A directory that the container sees at its own path: the option and its value.
pub(crate) fn bind(option: &str, directory: PathBuf) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(directory);
    argument
}

/// The container's process 1, as it is numbered out here: the child of the process `container` that is number 1
/// in its own namespace.
pub(crate) fn wait_for_leader(container: u32) -> Result<String, Error> {
    let children = format!("/proc/{container}/task/{container}/children");
    poll(
        "the container did not start; see target/systemd/boot.log",
        || {
            let children = fs::read_to_string(&children).unwrap_or_default();
            let leader = children.split_whitespace().find(|pid| {
                fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| {
                    status
                        .lines()
                        .any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
                })
            })?;
            Some(leader.to_owned())
        },
    )
}

pub(crate) fn wait_until_booted(leader: &str) -> Result<(), Error> {
    poll(
        "systemd did not finish booting; see target/systemd/boot.log",
        || {
            enter(leader)
                .args(["systemctl", "is-active", "multi-user.target"])
                .limit_seconds(20)
                .capture()
                .ok()
        },
    )
    .map(drop)
}

/// Asks `what` four times a second for a minute.
fn poll<T>(failure: &str, mut what: impl FnMut() -> Option<T>) -> Result<T, Error> {
    for _ in 0..240 {
        if crate::interrupt::requested() {
            return Err(Error::Interrupted);
        }
        if let Some(found) = what() {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(250));
    }
    Err(Error::Unusable(failure.to_owned()))
}

/// For a command inside.
pub(crate) fn enter(leader: &str) -> Cmd {
    Cmd::new("nsenter").args(["--target", leader, "--all"])
}

fn make_root() -> Result<(), Error> {
    if root().exists() {
        fs::remove_dir_all(root()).map_err(Error::file(root()))?;
    }
    Cmd::new("debootstrap")
        .args([
            "--variant=minbase",
            "--include=systemd,systemd-sysv,dbus,procps",
        ])
        .arg("bookworm")
        .arg(root())
        .limit_seconds(900)
        .run()?
        .0?;
    fs::write(root_is_complete(), "").map_err(Error::file(root_is_complete()))
}

fn root() -> PathBuf {
    workspace::target("systemd/root")
}

/// Is there once the container's files are.
pub(crate) fn root_is_complete() -> PathBuf {
    workspace::target("systemd/complete")
}
