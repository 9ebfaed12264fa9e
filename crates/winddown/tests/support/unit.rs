//! The shop as a service of a real systemd, which `cargo xtask test systemd` boots.

#[path = "../../../sys/tests/systemd_support/mod.rs"]
mod systemd_support;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use winddown::StopReport;

use super::{PATIENCE, example};
pub(crate) use systemd_support::Unit;
use systemd_support::inside;

impl Unit {
    /// The shop as the service `winddown-NAME`, with `arguments`, and with `settings` in its section `Service`.
    pub(crate) fn shop(name: &str, settings: &str, arguments: &str) -> Self {
        let shop = example("shop").display().to_string();
        Self::of_command(name, settings, &format!("{shop} {arguments}"))
    }

    /// Like [`Unit::shop`], with the whole command, which ends in the arguments of the shop.
    pub(crate) fn of_command(name: &str, settings: &str, command: &str) -> Self {
        let file = |ending| PathBuf::from(format!("/run/winddown-{name}.{ending}"));
        let (output, report) = (file("out"), file("json"));
        let seen = [inside(&output), inside(&report)];
        for file in &seen {
            let _ = fs::remove_file(file);
        }
        let mut unit = Self::new(
            name,
            &format!(
                "[Unit]\nStartLimitIntervalSec=0\n[Service]\nTimeoutStopSec=2\nStandardOutput=append:{}\n{settings}\n\
                 ExecStart={command} --report {}\n",
                output.display(),
                report.display()
            ),
        );
        unit.files.extend(seen);
        unit
    }

    fn file(&self, ending: &str) -> PathBuf {
        inside(&Path::new("/run").join(self.service())).with_extension(ending)
    }

    /// Waits until the shop has printed a line that begins with `start`, and gives the rest of it.
    #[track_caller]
    pub(crate) fn hear_after(&self, start: &str) -> String {
        let since = Instant::now();
        loop {
            let printed = fs::read_to_string(self.file("out")).unwrap_or_default();
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
        let text = fs::read_to_string(self.file("json")).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }
}
