//! The shop as a service of a real systemd, which `cargo xtask test systemd` boots.

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use winddown::StopReport;
use winddown_testkit::Watchdog;

use super::{PATIENCE, example};

/// A service of the booted systemd; dropping it stops and removes it.
pub(crate) struct Unit {
    name: String,
    files: Vec<PathBuf>,
    _watchdog: Watchdog,
}

impl Unit {
    /// The shop as the service `winddown-NAME`, with `arguments`, and with `settings` in its section `Service`.
    pub(crate) fn new(name: &str, settings: &str, arguments: &str) -> Self {
        let shop = example("shop").display().to_string();
        Self::of_command(name, settings, &format!("{shop} {arguments}"))
    }

    /// Like [`Unit::new`], with the whole command, which ends in the arguments of the shop.
    pub(crate) fn of_command(name: &str, settings: &str, command: &str) -> Self {
        leader();
        let mut unit = Self {
            name: format!("winddown-{name}"),
            files: Vec::new(),
            _watchdog: Watchdog::arm(PATIENCE * 2),
        };
        let (output, report) = (unit.output(), unit.report_file());
        let _ = fs::remove_file(inside(&output));
        let _ = fs::remove_file(inside(&report));
        unit.write(
            "service",
            &format!(
                "[Unit]\nStartLimitIntervalSec=0\n[Service]\nTimeoutStopSec=2\nStandardOutput=append:{}\n{settings}\n\
                 ExecStart={command} --report {}\n",
                output.display(),
                report.display()
            ),
        );
        unit.files.extend([inside(&output), inside(&report)]);
        unit
    }

    /// Adds and starts a socket of this service, and gives its address.
    pub(crate) fn listen(&mut self) -> SocketAddr {
        // systemd takes no port 0, and shares the network with this test.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        self.write("socket", &format!("[Socket]\nListenStream={address}\n"));
        run(&["systemctl", "start", &format!("{}.socket", self.name)]).unwrap();
        address
    }

    /// systemd finds new units without a `daemon-reload`, which would make it forget the extensions that it granted to others.
    fn write(&mut self, kind: &str, text: &str) {
        let file = format!("/run/systemd/system/{}.{kind}", self.name);
        let file = inside(Path::new(&file));
        fs::write(&file, text).unwrap();
        self.files.push(file);
    }

    fn output(&self) -> PathBuf {
        PathBuf::from(format!("/run/{}.out", self.name))
    }

    fn report_file(&self) -> PathBuf {
        PathBuf::from(format!("/run/{}.json", self.name))
    }

    /// `systemctl ARGUMENTS` for this service; what it says when it fails.
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> Result<String, String> {
        let service = format!("{}.service", self.name);
        run(&[&["systemctl"], arguments, &[service.as_str()]].concat())
    }

    #[track_caller]
    pub(crate) fn start(&self) {
        self.systemctl(&["start"]).unwrap();
    }

    /// Begins a stop, and leaves it to itself.
    #[track_caller]
    pub(crate) fn begin_stop(&self) {
        self.systemctl(&["stop", "--no-block"]).unwrap();
    }

    /// Stops the service, or joins the stop under way, and waits for its end.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.systemctl(&["stop"]).unwrap();
    }

    #[track_caller]
    pub(crate) fn property(&self, property: &str) -> String {
        let value = self.systemctl(&["show", "--value", "-p", property]);
        value.unwrap().trim().to_owned()
    }

    /// Waits until `property` is `value`: systemd handles notifications when it gets to them.
    #[track_caller]
    pub(crate) fn wait_for(&self, property: &str, value: &str) {
        let start = Instant::now();
        loop {
            let found = self.property(property);
            if found == value {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{property} is {found}, not {value}"
            );
        }
    }

    /// Waits until the shop has printed a line that begins with `start`, and gives the rest of it.
    #[track_caller]
    pub(crate) fn hear_after(&self, start: &str) -> String {
        let since = Instant::now();
        loop {
            let printed = fs::read_to_string(inside(&self.output())).unwrap_or_default();
            let mut whole = printed.split_inclusive('\n').filter(|l| l.ends_with('\n'));
            if let Some(rest) = whole.find_map(|line| line.strip_prefix(start)) {
                return rest.trim_end().to_owned();
            }
            assert!(since.elapsed() < PATIENCE, "no {start:?} in {printed:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where the shop listens.
    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        self.hear_after("listening on ").parse().unwrap()
    }

    /// The report of the last stop, if it wrote one.
    pub(crate) fn report(&self) -> Option<StopReport> {
        let text = fs::read_to_string(inside(&self.report_file())).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let _ = run(&["systemctl", "stop", &format!("{}.socket", self.name)]);
        let _ = self.systemctl(&["kill", "--signal=KILL"]);
        let _ = self.systemctl(&["stop"]);
        let _ = self.systemctl(&["reset-failed"]);
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}

fn leader() -> String {
    env::var("WINDDOWN_SYSTEMD_LEADER").expect("run these tests with `cargo xtask test systemd`")
}

/// Where a file of the booted system is seen from here.
fn inside(file: &Path) -> PathBuf {
    let below_root = file.strip_prefix("/").expect("the path is absolute");
    PathBuf::from(format!("/proc/{}/root", leader())).join(below_root)
}

/// What `command` prints inside, or what it says when it fails.
fn run(command: &[&str]) -> Result<String, String> {
    let output = Command::new("nsenter")
        .args(["--target", &leader(), "--all"])
        .args(command)
        .output()
        .expect("nsenter can be started");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{command:?}: {}", text(&output.stderr)))
    }
}
