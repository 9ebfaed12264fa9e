//! Units of a real systemd, which `cargo xtask test systemd` boots; also for the tests of other crates.
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use winddown_testkit::Watchdog;

const PATIENCE: Duration = Duration::from_secs(30);

/// A service of the booted systemd; dropping it stops and removes it.
pub(crate) struct Unit {
    name: String,
    /// What is removed in the end.
    pub(crate) files: Vec<PathBuf>,
    _watchdog: Watchdog,
}

impl Unit {
    /// The service `winddown-NAME`, of this text.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        leader();
        let mut unit = Self {
            name: format!("winddown-{name}"),
            files: Vec::new(),
            _watchdog: Watchdog::arm(2 * PATIENCE),
        };
        unit.write("service", text);
        unit
    }

    /// The name of the service, with its ending.
    pub(crate) fn service(&self) -> String {
        format!("{}.service", self.name)
    }

    /// Adds and starts a socket of this service, with `settings` in its section `Socket`, and gives its address.
    pub(crate) fn listen(&mut self, settings: &str) -> SocketAddr {
        // systemd takes no port 0, and shares the network with this test.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let text = format!("[Socket]\nListenStream={address}\n{settings}\n");
        self.write("socket", &text);
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

    /// `systemctl ARGUMENTS` for this service; what it says when it fails.
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> Result<String, String> {
        let service = self.service();
        run(&[&["systemctl"], arguments, &[service.as_str()]].concat())
    }

    #[track_caller]
    pub(crate) fn start(&self) {
        if let Err(error) = self.systemctl(&["start"]) {
            let status = self.systemctl(&["status"]);
            panic!("{error}\n{}", status.unwrap_or_else(|status| status));
        }
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
pub(crate) fn inside(file: &Path) -> PathBuf {
    let below_root = file.strip_prefix("/").expect("the path is absolute");
    PathBuf::from(format!("/proc/{}/root", leader())).join(below_root)
}

/// What `command` prints inside, or what it says when it fails.
pub(crate) fn run(command: &[&str]) -> Result<String, String> {
    let output = Command::new("nsenter")
        .args(["--target", &leader(), "--all"])
        .args(command)
        .output()
        .expect("nsenter can be started");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    Err(format!("{command:?}: {said}{complained}"))
}
