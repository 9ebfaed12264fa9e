//! Each fuzz target for a short while, with libFuzzer and the stable compiler: coverage needs no
//! unstable flag, and the code under test has no `unsafe` that a sanitizer could catch.

use std::fs;

use super::Lane;
use crate::command::Cmd;
use crate::error::Error;
use crate::need::Need;
use crate::session::Session;
use crate::{targets, workspace};

const SECONDS: u64 = 20;

/// The flags of `cargo fuzz`.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(super) const LANE: Lane = Lane {
    name: "fuzz",
    shows: "that no input makes a parser panic, as far as a short run can see",
    needs: &[Need::Package {
        name: "g++",
        provides: "c++",
    }],
    run,
};

fn run(session: &mut Session) -> Result<(), Error> {
    let host = host()?;
    session.prepare(
        Cmd::cargo()
            .args([
                "build",
                "--release",
                "--manifest-path=fuzz/Cargo.toml",
                "--locked",
            ])
            // With a target, flags reach the targets and leave build scripts alone.
            .args(["--target", &host])
            .env("RUSTFLAGS", COVERAGE)
            .env("CARGO_TARGET_DIR", workspace::target("fuzz"))
            .limit_seconds(900),
    )?;
    for name in targets::fuzzed()? {
        let corpus = workspace::target("fuzz/corpus").join(&name);
        fs::create_dir_all(&corpus).map_err(Error::file(&corpus))?;
        session.check(
            Cmd::new(
                workspace::target("fuzz")
                    .join(&host)
                    .join("release")
                    .join(&name),
            )
            .arg(format!("-max_total_time={SECONDS}"))
            .args(["-timeout=5", "-rss_limit_mb=1024", "-verbosity=0"])
            .arg(format!(
                "-artifact_prefix={}/crash-",
                workspace::target("fuzz").display()
            ))
            .arg(corpus)
            .limit_seconds(SECONDS + 60),
        )?;
    }
    Ok(())
}

/// The target triple of this machine.
fn host() -> Result<String, Error> {
    Cmd::new("rustc")
        .arg("-vV")
        .capture()?
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Error::Unusable("`rustc -vV` names no host".to_owned()))
}
