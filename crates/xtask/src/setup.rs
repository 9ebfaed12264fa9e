//! Installing what a lane needs: packages of Debian, cargo subcommands, and what lanes make.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::command::Cmd;
use crate::error::Error;
use crate::lane::Lane;
use crate::need::{self, Need};
use crate::workspace;

/// Installs what `lane` needs and does not have; does nothing when it has all.
pub(crate) fn lane(lane: &Lane) -> Result<(), Error> {
    let needs: Vec<&Need> = lane.needs.iter().collect();
    install(lane.name, &needs)
}

/// Installs those of `needs` that are not there, for the lane or benchmark of this name.
pub(crate) fn install(name: &str, needs: &[&Need]) -> Result<(), Error> {
    let missing: Vec<&Need> = needs
        .iter()
        .copied()
        .filter(|need| !need.is_met())
        .collect();
    if missing.is_empty() {
        println!("{name}: nothing to install");
        return Ok(());
    }
    let list = need::list(missing.iter().copied());
    println!("{name}: installing {list}");
    if missing.iter().any(|need| matches!(need, Need::Root)) {
        return Err(Error::Unusable(format!("{name} has to run as root")));
    }
    packages(&missing)?;
    for need in &missing {
        match need {
            Need::Subcommand(name) => run(
                // Optimising the tool takes longer than the tool runs.
                Cmd::cargo()
                    .args(["install", "--locked", "--debug", "--root"])
                    .arg(workspace::target("tools"))
                    .arg(name)
                    .limit_seconds(1200),
            )?,
            Need::Made { make, .. } => make()?,
            Need::Package { .. } | Need::Root => {}
        }
    }
    let still: Vec<&Need> = missing.into_iter().filter(|need| !need.is_met()).collect();
    if still.is_empty() {
        Ok(())
    } else {
        let list = need::list(still);
        Err(Error::Unusable(format!("{name} still lacks {list}")))
    }
}

fn packages(missing: &[&Need]) -> Result<(), Error> {
    let packages: Vec<_> = missing
        .iter()
        .filter_map(|need| match need {
            Need::Package { name, .. } => Some(*name),
            _ => None,
        })
        .collect();
    if packages.is_empty() {
        return Ok(());
    }
    if workspace::find_program("apt-get").is_none() {
        return Err(Error::Unusable(format!(
            "this system has no apt-get; install yourself: {}",
            packages.join(" ")
        )));
    }
    let _quiet = NoServices::while_installing();
    // One source out of reach need not be the one that matters: the installation decides.
    if let Err(error) = run(Cmd::as_root("apt-get").args(["update", "--quiet=2"])) {
        println!("{error}");
    }
    run(Cmd::as_root("env")
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "install"])
        .args(["--yes", "--quiet=2", "--no-install-recommends"])
        .args(packages)
        .limit_seconds(900))
}

fn run(command: Cmd) -> Result<(), Error> {
    println!("\n$ {}", command.line());
    command.run()?.0
}

/// Keeps Debian from starting the servers that it installs, where root has no policy of its own.
struct NoServices(Option<&'static Path>);

impl NoServices {
    fn while_installing() -> Self {
        let file = Path::new("/usr/sbin/policy-rc.d");
        let created = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(file)
            .and_then(|mut policy| {
                // 101: "action forbidden by policy".
                std::io::Write::write_all(&mut policy, b"#!/bin/sh\nexit 101\n")
            });
        Self(created.is_ok().then_some(file))
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            let _ = fs::remove_file(file);
        }
    }
}
