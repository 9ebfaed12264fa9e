//! A real service under the system's SCM: this executable itself, started again as one.
#![cfg(windows)]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use winddown_core::scm::{
    Accepted, Control, Scm, ScmError, ServiceProgram, ServiceState, ServiceStatus, code,
};
use winddown_sys::host;
use winddown_sys::record::{self, FORCED, Level};
use winddown_sys::scm::SystemScm;
use winddown_sys::scm::client::{NewService, Seen, Service};
use winddown_testkit::Watchdog;

const PATIENCE: Duration = Duration::from_secs(20);

// ---- the service ----

/// What this executable is when the SCM starts it: a service that writes down what it is told.
struct Probe {
    journal: OnceLock<PathBuf>,
    controls: Sender<Control>,
    inbox: Mutex<Receiver<Control>>,
}

impl Probe {
    fn new() -> Self {
        let (controls, inbox) = channel();
        Self {
            journal: OnceLock::new(),
            controls,
            inbox: Mutex::new(inbox),
        }
    }

    fn journal(&self) -> &Path {
        self.journal
            .get()
            .expect("the journal is the first argument")
    }

    fn note(&self, line: &str) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.journal())
            .unwrap();
        writeln!(file, "{line}").unwrap();
    }

    fn pass_through(&self, state: ServiceState) {
        for checkpoint in 1..=3 {
            SystemScm
                .set_status(ServiceStatus {
                    checkpoint,
                    wait_hint: Duration::from_secs(2),
                    ..ServiceStatus::of(state)
                })
                .unwrap();
            // The work between two checkpoints.
            std::thread::sleep(Duration::from_millis(60));
        }
    }

    fn stop(&self, mode: &str) {
        self.pass_through(ServiceState::StopPending);
        while self.journal().with_extension("hold").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.note("stopped");
        let failed = mode == "fail";
        let stopped = ServiceStatus {
            exit_code: if failed {
                code::ERROR_SERVICE_SPECIFIC_ERROR
            } else {
                0
            },
            specific_exit_code: if failed { 7 } else { 0 },
            ..ServiceStatus::of(ServiceState::Stopped)
        };
        SystemScm.set_status(stopped).unwrap();
    }
}

impl ServiceProgram for Probe {
    fn service_main(&self, arguments: Vec<String>) {
        self.journal.set(PathBuf::from(&arguments[1])).unwrap();
        let mode = arguments.get(2).map_or("", String::as_str);
        self.note(&format!("arguments {arguments:?}"));
        self.note(&format!(
            "preshutdown {:?}",
            SystemScm.limit(Control::Preshutdown)
        ));
        if mode == "record" {
            let written = record::entry(&arguments[0], Level::Warning, FORCED, &arguments[3]);
            self.note(&format!("written {written}"));
        }
        self.note(&format!("host {}", host::detect().kind));
        assert_ne!(mode, "panic", "asked to");
        self.pass_through(ServiceState::StartPending);
        let all = Accepted::STOP | Accepted::PAUSE_CONTINUE | Accepted::PARAM_CHANGE;
        let accepted = if mode == "stop-only" {
            Accepted::STOP
        } else {
            all
        };
        let inbox = self.inbox.lock().unwrap();
        let mut state = ServiceState::Running;
        loop {
            let status = ServiceStatus {
                accepted,
                ..ServiceStatus::of(state)
            };
            SystemScm.set_status(status).unwrap();
            let control = inbox.recv().unwrap();
            self.note(&format!("control {control:?}"));
            match control {
                Control::Stop => break,
                Control::Pause => state = ServiceState::Paused,
                Control::Continue => state = ServiceState::Running,
                _ => {}
            }
        }
        self.stop(mode);
    }

    fn control(&self, control: Control) -> u32 {
        self.controls.send(control).unwrap();
        code::NO_ERROR
    }
}

/// Not a test of its own: the body of the service when the SCM starts this executable, and nothing otherwise.
#[test]
fn as_service() {
    if std::env::args().any(|argument| argument == "as_service") {
        let _ = SystemScm.run("probe", Arc::new(Probe::new()));
    }
}

// ---- its user ----

/// An installed service that goes when the test ends, however it ends.
struct Installed {
    service: Service,
    directory: TempDir,
    _watchdog: Watchdog,
}

impl Installed {
    fn new(test: &str) -> Self {
        let watchdog = Watchdog::arm(Duration::from_secs(60));
        let name = format!("winddown-{test}-{}", std::process::id());
        let service = Service::named(&name);
        let new = NewService {
            display_name: name.clone(),
            program: std::env::current_exe().unwrap(),
            arguments: ["as_service", "--exact", "--nocapture"]
                .map(Into::into)
                .into(),
        };
        service.create(&new).unwrap();
        Self {
            service,
            directory: TempDir::new().unwrap(),
            _watchdog: watchdog,
        }
    }

    fn start(&self, arguments: &[&str]) {
        let journal = self.journal_path();
        let arguments: Vec<_> = [journal.as_str()]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        self.service.start(&arguments).unwrap();
    }

    fn journal_path(&self) -> String {
        let path = self.directory.path().join("journal");
        path.into_os_string().into_string().unwrap()
    }

    fn journal(&self) -> Vec<String> {
        let journal = std::fs::read_to_string(self.journal_path()).unwrap_or_default();
        journal.lines().map(str::to_owned).collect()
    }

    fn reaches(&self, state: ServiceState) -> Seen {
        let seen = self.service.wait_for(state, PATIENCE).unwrap();
        assert_eq!(
            seen.status.state,
            state,
            "{seen:?}, journal {:?}",
            self.journal()
        );
        seen
    }

    fn stop(&self) -> Seen {
        self.service.control(Control::Stop).unwrap();
        self.reaches(ServiceState::Stopped)
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = self.service.control(Control::Stop);
        let _ = self.service.wait_for(ServiceState::Stopped, PATIENCE);
        self.service.delete().unwrap();
        assert_eq!(
            error_code(self.service.status()),
            code::ERROR_SERVICE_DOES_NOT_EXIST
        );
    }
}

fn error_code<T: std::fmt::Debug>(result: Result<T, ScmError>) -> u32 {
    match result {
        Err(ScmError::Os { code, .. }) => code,
        other => panic!("{other:?} is not a windows error"),
    }
}

#[test]
fn start_arguments_arrive_after_the_name() {
    let installed = Installed::new("arguments");
    // None is empty: Wine ends the list at an empty argument.
    let odd = ["two words", r#"a "quoted" \"#, "é中"];
    installed.start(&odd);
    let seen = installed.reaches(ServiceState::Running);
    assert!(seen.pid.is_some_and(|pid| pid != std::process::id()));
    let journal = installed.journal_path();
    let mut expected = vec![installed.service.name(), &journal];
    expected.extend(odd);
    assert_eq!(installed.journal()[0], format!("arguments {expected:?}"));
    let last = installed.stop();
    assert_eq!(
        (last.pid, last.status),
        (None, ServiceStatus::of(ServiceState::Stopped))
    );
}

/// Wine keeps no event log, but prints what a service reports to where the lane has it written.
#[test]
fn what_a_service_records_is_in_the_event_log() {
    let installed = Installed::new("record");
    let text = format!("stop of é forced, run {}", std::process::id());
    installed.start(&["record", &text]);
    installed.reaches(ServiceState::Running);
    installed.stop();
    assert!(installed.journal().contains(&"written true".to_owned()));
    if let Some(log) = std::env::var_os("WINDDOWN_EVENT_LOG") {
        let log = Path::new(r"Z:\").join(log);
        let log = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
        // Wine escapes what is not ASCII.
        let text = text.replace('é', r"\00e9");
        assert!(log.contains(&text), "{text} is not in {log}");
    }
}

#[test]
fn wd_52_checkpoints_rise_while_the_stop_is_pending() {
    let installed = Installed::new("checkpoints");
    installed.start(&[]);
    installed.reaches(ServiceState::Running);
    installed.service.control(Control::Stop).unwrap();
    let mut checkpoints = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let status = installed.service.status().unwrap().status;
        match status.state {
            ServiceState::StopPending => {
                assert_eq!(status.accepted, Accepted::NONE);
                assert_eq!(status.wait_hint, Duration::from_secs(2));
                checkpoints.push(status.checkpoint);
            }
            ServiceState::Stopped => break,
            // The service has not come to its first status yet.
            _ => assert!(checkpoints.is_empty()),
        }
    }
    checkpoints.dedup();
    assert!(!checkpoints.is_empty());
    assert!(
        checkpoints.is_sorted()
            && checkpoints
                .iter()
                .all(|checkpoint| (1..=3).contains(checkpoint)),
        "{checkpoints:?}"
    );
}

#[test]
fn wd_60_controls_arrive_with_their_type() {
    let installed = Installed::new("controls");
    installed.start(&[]);
    installed.reaches(ServiceState::Running);
    installed.service.control(Control::Pause).unwrap();
    installed.reaches(ServiceState::Paused);
    installed.service.control(Control::Continue).unwrap();
    installed.reaches(ServiceState::Running);
    for control in [
        Control::ParamChange,
        Control::Custom(128),
        Control::Custom(255),
    ] {
        installed.service.control(control).unwrap();
    }
    installed.service.control(Control::Interrogate).unwrap();
    installed.stop();
    assert_eq!(
        installed.journal()[3..],
        [
            "control Pause",
            "control Continue",
            "control ParamChange",
            "control Custom(128)",
            "control Custom(255)",
            "control Stop",
            "stopped",
        ]
    );
}

#[test]
fn controls_that_are_not_accepted_are_refused() {
    let installed = Installed::new("refused");
    assert_eq!(
        error_code(installed.service.control(Control::Stop)),
        code::ERROR_SERVICE_NOT_ACTIVE
    );
    installed.start(&["stop-only"]);
    installed.reaches(ServiceState::Running);
    let refused = installed.service.control(Control::Pause);
    assert_eq!(error_code(refused), code::ERROR_INVALID_SERVICE_CONTROL);
    assert_eq!(
        error_code(installed.service.start(&[])),
        code::ERROR_SERVICE_ALREADY_RUNNING
    );
    let hold = installed.directory.path().join("journal.hold");
    std::fs::write(&hold, "").unwrap();
    installed.service.control(Control::Stop).unwrap();
    installed.reaches(ServiceState::StopPending);
    let second = installed.service.control(Control::Stop);
    assert_eq!(error_code(second), code::ERROR_SERVICE_CANNOT_ACCEPT_CTRL);
    std::fs::remove_file(hold).unwrap();
    installed.reaches(ServiceState::Stopped);
    assert_eq!(
        error_code(installed.service.control(Control::Stop)),
        code::ERROR_SERVICE_NOT_ACTIVE
    );
}

#[test]
fn wd_72_a_failed_stop_leaves_the_services_own_code() {
    let installed = Installed::new("own-code");
    installed.start(&["fail"]);
    installed.reaches(ServiceState::Running);
    let last = installed.stop().status;
    assert_eq!(
        (last.exit_code, last.specific_exit_code),
        (code::ERROR_SERVICE_SPECIFIC_ERROR, 7)
    );
}

#[test]
fn a_panic_in_service_main_is_reported_as_stopped() {
    let installed = Installed::new("panic");
    // Wine answers a start only after the first status, which is `STOPPED` here, and then with 1053.
    let journal = installed.journal_path();
    let _ = installed.service.start(&[&journal, "panic"]);
    let last = installed.reaches(ServiceState::Stopped).status;
    assert_eq!(
        (last.exit_code, last.specific_exit_code),
        (code::ERROR_SERVICE_SPECIFIC_ERROR, 101)
    );
}

#[test]
fn the_preshutdown_timeout_is_the_services_limit() {
    let installed = Installed::new("preshutdown");
    let minute = Duration::from_secs(60);
    assert_eq!(
        installed.service.set_preshutdown_timeout(minute),
        Ok(minute)
    );
    installed.start(&[]);
    installed.reaches(ServiceState::Running);
    installed.stop();
    assert_eq!(
        installed.journal()[1],
        format!("preshutdown {:?}", Some(minute))
    );
}

/// windows-service #53, #101.
#[test]
fn a_program_that_the_scm_did_not_start_is_told_so_without_waiting() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let begin = Instant::now();
    let refused = SystemScm.run("console", Arc::new(Probe::new()));
    assert_eq!(refused, Err(ScmError::NotStartedByScm));
    assert_eq!(
        SystemScm.set_status(ServiceStatus::of(ServiceState::Running)),
        Err(ScmError::NotStartedByScm)
    );
    // Wine's dispatcher takes 10 s to say so.
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}
