//! A `winddown run` of a definition, what its services wrote down, and its reports.

use std::fs::{self, File};
use std::process::Child;

use serde_json::Deserializer;
use winddown_core::report::StopReport;

use super::{End, Place, Signal, report, send, until};

/// A service that stops when it is asked. Its child is started before the trap: until it has reset one, it would lose signals.
pub(crate) const POLITE: &str = r#"
sleep 60 &
trap 'echo "$1 down" >>log; exit 0' TERM
echo "$1 up" >>log; echo >"$1.up"
wait
"#;

/// A service that must be killed. Both write the file `NAME.up` once they are up.
pub(crate) const STUBBORN: &str = r#"
trap '' TERM
echo "$1 up" >>log; echo >"$1.up"
exec sleep 60
"#;

/// A `winddown run` that is under way. Its programs write a line to the file `log` for each thing that happens to them.
pub(crate) struct Running {
    pub(crate) place: Place,
    pub(crate) child: Child,
}

/// A `winddown run` that is over.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) code: Option<i32>,
    pub(crate) reports: Vec<StopReport>,
    pub(crate) said: String,
    pub(crate) log: Vec<String>,
}

impl Running {
    /// Runs `definition`, whose programs are scripts: `polite.sh NAME`, `stubborn.sh NAME` and those in `scripts`.
    pub(crate) fn start(scripts: &[(&str, &str)], definition: &str) -> Self {
        let place = Place::new();
        for (name, text) in [("polite.sh", POLITE), ("stubborn.sh", STUBBORN)]
            .iter()
            .chain(scripts)
        {
            place.write(name, text);
        }
        place.write("winddown.toml", definition);
        Self::start_in(place, &["--config", "winddown.toml"])
    }

    pub(crate) fn start_in(place: Place, arguments: &[&str]) -> Self {
        let mut command = place.winddown(["run", "--output", "json"]);
        command
            .args(arguments)
            .stdout(File::create(place.path("reports")).unwrap())
            .stderr(File::create(place.path("said")).unwrap());
        let child = command.spawn().unwrap();
        Self { place, child }
    }

    pub(crate) fn log(&self) -> Vec<String> {
        lines(&self.place, "log")
    }

    /// How often `line` is in the log.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.log().iter().filter(|logged| *logged == line).count()
    }

    /// Waits until `line` is in the log.
    #[track_caller]
    pub(crate) fn logged(&self, line: &str) {
        until(line, || (self.count(line) > 0).then_some(()));
    }

    /// Waits until winddown has said `text` on its standard error.
    #[track_caller]
    pub(crate) fn said(&self, text: &str) {
        until(text, || {
            read(&self.place, "said").contains(text).then_some(())
        });
    }

    /// Waits for the next thing that winddown says about a reload.
    #[track_caller]
    pub(crate) fn reload(&self, definition: &str) -> String {
        let reloads = || {
            let said = lines(&self.place, "said");
            let about = said.into_iter().filter(|line| line.contains("reloaded"));
            about.collect::<Vec<_>>()
        };
        let before = reloads().len();
        self.place.write("winddown.toml", definition);
        send(&self.child, Signal::HUP);
        until("a reload", || reloads().get(before).cloned())
    }

    /// A verb over the control socket, which is at `control/socket`.
    pub(crate) fn ask(&self, arguments: &[&str]) -> End {
        let mut command = self.place.winddown(arguments);
        command.env("WINDDOWN_CONTROL", self.place.path("control/socket"));
        End::of(command.spawn().unwrap())
    }

    pub(crate) fn send(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Asks it to stop, and waits until it has ended and nothing is left.
    pub(crate) fn stop(self) -> Over {
        self.send(Signal::TERM);
        self.end()
    }

    /// Waits until it has ended and nothing is left.
    pub(crate) fn end(mut self) -> Over {
        let status = self.child.wait().unwrap();
        self.place.census.assert_empty();
        let reports = read(&self.place, "reports");
        let reports = Deserializer::from_str(&reports).into_iter();
        Over {
            code: status.code(),
            reports: reports.map(|value| report(&value.unwrap())).collect(),
            said: read(&self.place, "said"),
            log: self.log(),
        }
    }
}

impl Over {
    /// The one report of `service`.
    #[track_caller]
    pub(crate) fn report(&self, service: &str) -> &StopReport {
        let mut its = self
            .reports
            .iter()
            .filter(|report| report.service == service);
        match (its.next(), its.next()) {
            (Some(report), None) => report,
            _ => panic!("{service} has not one report: {self:#?}"),
        }
    }

    /// Where `line` is in the log.
    #[track_caller]
    pub(crate) fn at(&self, line: &str) -> usize {
        let place = self.log.iter().position(|logged| logged == line);
        place.unwrap_or_else(|| panic!("no `{line}`: {self:#?}"))
    }
}

/// Where an outcome of a rung that begins with `rung` is said.
#[track_caller]
pub(crate) fn outcome<'a>(report: &'a StopReport, rung: &str) -> &'a str {
    let mut rungs = report.ladder.iter();
    let record = rungs.find(|record| record.rung.starts_with(rung));
    &record
        .unwrap_or_else(|| panic!("no {rung}: {report:#?}"))
        .outcome
}

fn read(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path(name)).unwrap_or_default()
}

/// The whole lines of a file that may be written to meanwhile.
fn lines(place: &Place, name: &str) -> Vec<String> {
    let text = read(place, name);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}
