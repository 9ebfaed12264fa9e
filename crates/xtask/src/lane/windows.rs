//! Windows programs under Wine's Service Control Manager.
//!
//! Wine keeps services alive only while an ordinary program runs, so an idle one does throughout.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::Duration;

use super::Lane;
use crate::command::{self, Cmd};
use crate::debian_rust::{self, build_for, with_debian_rust};
use crate::error::Error;
use crate::need::Need;
use crate::session::Session;
use crate::{targets, workspace};

const TARGET: &str = "x86_64-pc-windows-gnu";

/// What is set in a new prefix: keys, values, texts.
const REGISTRY: [(&str, &str, &str); 2] = [
    // An executable that never calls the SCM is given up after 3 s and not 10.
    (
        r"HKLM\System\CurrentControlSet\Control",
        "ServicesPipeTimeout",
        "3000",
    ),
    // Windows can be made, and messages sent to them, without a display.
    (r"HKCU\Software\Wine\Drivers", "Graphics", "null"),
];

pub(super) const LANE: Lane = Lane {
    name: "windows",
    shows: "Windows executables: services under Wine's SCM, console events, job objects",
    needs: &[
        Need::Subcommand("cargo-nextest"),
        debian_rust::RUSTC,
        debian_rust::SOURCES,
        Need::Package {
            name: "rust-web-clippy",
            provides: "/usr/bin/cargo-clippy",
        },
        Need::Package {
            name: "gcc-mingw-w64-x86-64-win32",
            provides: "x86_64-w64-mingw32-gcc",
        },
        Need::Package {
            name: "wine64",
            provides: "/usr/lib/wine/wine64",
        },
        Need::Package {
            name: "wine",
            provides: "wine-stable",
        },
        Need::Package {
            name: "golang-go",
            provides: "go",
        },
    ],
    run,
};

/// Older compilers link each Windows program with objects that only Rust's own build of the target has.
fn check_compiler() -> Result<(), Error> {
    let specification = Cmd::new("/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["-Zunstable-options", "--print=target-spec-json", "--target"])
        .arg(TARGET)
        .capture()?;
    match specification.contains("rsbegin.o") {
        true => Err(Error::Unusable(
            "this rustc-web is too old to link Windows programs: the one in Debian's security updates is not; have them in \
             apt's sources, and install rustc-web, rust-web-src and rust-web-clippy again"
                .to_owned(),
        )),
        false => Ok(()),
    }
}

fn run(session: &mut Session) -> Result<(), Error> {
    session.prepare(Cmd::new("/usr/bin/rustc").arg("--version"))?;
    check_compiler()?;
    make_prefix(session)?;
    session.prepare(
        cargo()
            .args([
                "build",
                "--workspace",
                "--exclude=xtask",
                "--bins",
                "--examples",
            ])
            .args(build_for(TARGET))
            .limit_seconds(900),
    )?;
    session.prepare(
        Cmd::new("go")
            .args(["build", "-trimpath", "-o"])
            .arg(go_program())
            .arg("crates/cli/tests/programs/stopped.go")
            .env("GO111MODULE", "off")
            .env("GOCACHE", workspace::target("cross/go/cache"))
            .env("GOOS", "windows")
            .env("GOARCH", "amd64")
            .env("CGO_ENABLED", "0")
            .limit_seconds(300),
    )?;
    session.check(
        with_debian_rust(Cmd::new("/usr/bin/cargo-clippy"))
            .args(["clippy", "--workspace", "--exclude=xtask", "--all-targets"])
            .args(build_for(TARGET))
            .args(["--", "-D", "warnings"])
            .limit_seconds(900),
    )?;

    let names = targets::of_lane("windows")?;
    let mut keepalive = start_services()?;
    session.check(
        cargo()
            .args(["nextest", "run", "--profile=windows"])
            .args(["--workspace", "--exclude=xtask", "--lib"])
            .args(targets::arguments(&names))
            .args(build_for(TARGET))
            .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", "wine-stable")
            .env("WINDDOWN_EVENT_LOG", event_log())
            .env("WINDDOWN_GO_PROGRAM", go_program())
            // insta would ask cargo, which is no Windows program here.
            .env("INSTA_WORKSPACE_ROOT", workspace::root())
            .limit_seconds(1200),
    )?;
    // It reads its input to the end.
    drop(keepalive.stdin.take());
    command::wait(&mut keepalive, Duration::from_secs(20), "keepalive")?;
    wineserver("-k")
}

/// A fresh Wine prefix, ready for our executables; made once.
fn make_prefix(session: &mut Session) -> Result<(), Error> {
    let prefix = prefix();
    let ready = prefix.join("winddown-ready-2");
    if ready.exists() {
        return Ok(());
    }
    println!("making a Wine prefix in {}", prefix.display());
    let mut attempts = 1..=3;
    loop {
        let attempt = attempts.next();
        if prefix.exists() {
            fs::remove_dir_all(&prefix).map_err(Error::file(&prefix))?;
        }
        fs::create_dir_all(&prefix).map_err(Error::file(&prefix))?;
        let booted = wine()
            .args(["wineboot", "-i"])
            .limit_seconds(120)
            .run_into(&workspace::target("wine/boot.log"))
            .and_then(|()| wineserver("-w"));
        match booted {
            Ok(()) => break,
            Err(error) if attempt.is_none() || matches!(error, Error::Interrupted) => {
                return Err(error);
            }
            Err(error) => println!("{error}; once more"),
        }
    }

    // Rust's standard library takes random numbers from a library that Wine 8 lacks.
    session.prepare(
        Cmd::new("x86_64-w64-mingw32-gcc")
            .args([
                "-O2",
                "-s",
                "-shared",
                "crates/xtask/assets/bcryptprimitives.c",
            ])
            .args(["-ladvapi32", "-o"])
            .arg(prefix.join("drive_c/windows/system32/bcryptprimitives.dll")),
    )?;
    for (key, value, data) in REGISTRY {
        wine()
            .args(["reg", "add", key, "/f"])
            .args(["/v", value, "/t", "REG_SZ", "/d", data])
            .run_into(&workspace::target("wine/registry.log"))?;
    }
    wineserver("-k")?;
    fs::write(&ready, "").map_err(Error::file(ready))
}

/// Starts the prefix and returns the program that keeps it running.
///
/// What services report to the event log is written to [`event_log`], by Wine itself. Output goes
/// to files because the prefix's own processes inherit it and outlive each test.
fn start_services() -> Result<Child, Error> {
    let log = workspace::target("wine/keepalive.log");
    let keepalive = wine()
        .arg(
            workspace::target("cross")
                .join(TARGET)
                .join("debug/examples/keepalive.exe"),
        )
        .env("WINEDEBUG", "-all,err+eventlog,warn+eventlog")
        .spawn_into(&log, &event_log())?;
    for _ in 0..160 {
        // Only then has the prefix been started by it, and reports its events to the right file.
        if !fs::read_to_string(&log).unwrap_or_default().contains("up") {
            thread::sleep(Duration::from_millis(250));
            continue;
        }
        let query = wine()
            .args(["sc", "query", "Spooler"])
            .limit_seconds(20)
            .capture();
        match query {
            Ok(text) if text.contains("STATE") => return Ok(keepalive),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            _ => thread::sleep(Duration::from_millis(250)),
        }
    }
    Err(Error::Unusable("Wine's SCM did not come up".to_owned()))
}

fn wineserver(what: &str) -> Result<(), Error> {
    let server = with_prefix(Cmd::new("/usr/lib/wine/wineserver64"));
    server
        .arg(what)
        .limit_seconds(30)
        .run_into(&workspace::target("wine/server.log"))
}

fn wine() -> Cmd {
    with_prefix(Cmd::new("wine-stable"))
}

fn with_prefix(command: Cmd) -> Cmd {
    command
        .env("WINEPREFIX", prefix())
        .env("WINEARCH", "win64")
        .env("WINEDEBUG", "-all")
        // Else names of files can only be ASCII.
        .env("LC_ALL", "C.UTF-8")
}

fn prefix() -> PathBuf {
    workspace::target("wine/prefix")
}

/// A program of another language, built for Windows.
fn go_program() -> PathBuf {
    workspace::target("cross/go/stopped.exe")
}

fn event_log() -> PathBuf {
    workspace::target("wine/events.log")
}

fn cargo() -> Cmd {
    with_prefix(with_debian_rust(Cmd::cargo()))
}
