use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use winddown_core::Clock;
use winddown_core::health::{Health, HealthRules};
use winddown_sys::{Monotonic, wait_any};
use winddown_testkit::Watchdog;

use super::ask::TICK;
use super::*;
use crate::environment::Template;
use crate::process::own_variables;
use crate::task::tests::Bench;

const LONG: Duration = Duration::from_secs(50);

fn options(target: ProbeTarget, timeout: Duration) -> ProbeOptions {
    ProbeOptions {
        target,
        surroundings: Surroundings {
            variables: own_variables(),
            ..Surroundings::default()
        },
        started: SystemTime::now(),
        timeout,
    }
}

/// Asks once.
fn ask(probe: &mut Probe) -> ProbeState {
    probe.begin(Monotonic.now());
    loop {
        let state = probe.advance(Monotonic.now());
        if state != ProbeState::Running {
            assert_eq!(
                (probe.due(), probe.sources().count()),
                (Timestamp::NEVER, 0)
            );
            return state;
        }
        let sources: Vec<_> = probe.sources().collect();
        wait_any(&sources, Monotonic.sleep_until(probe.due()));
    }
}

fn answer(target: ProbeTarget) -> Answer {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    match ask(&mut Probe::new(options(target, LONG))) {
        ProbeState::Passed(why) => Ok(why),
        ProbeState::Failed(why) => Err(why),
        ProbeState::Running => unreachable!("it has been waited for"),
    }
}

fn tcp(address: impl ToString) -> ProbeTarget {
    ProbeTarget::Tcp(address.to_string().parse().unwrap())
}

fn listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).unwrap()
}

#[test]
fn tcp_passes_where_connections_are_taken() {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let why = format!("it takes connections at {address}");
    assert_eq!(answer(tcp(address)), Ok(why));
    drop(listener);
    let why = answer(tcp(address)).unwrap_err();
    assert!(
        why.starts_with(&format!("{address} cannot be reached: ")),
        "{why}"
    );
}

#[test]
fn tcp_looks_a_name_up() {
    let listener = listener();
    let port = listener.local_addr().unwrap().port();
    // No name of several addresses: Wine's answer for one is not aligned as the standard library has a right to expect.
    let why = answer(tcp(format!("127.1:{port}"))).unwrap();
    assert_eq!(why, format!("it takes connections at 127.0.0.1:{port}"));
    let why = answer(tcp("host.invalid:80")).unwrap_err();
    assert!(
        why.starts_with("host.invalid:80 cannot be looked up: "),
        "{why}"
    );
}

/// Answers one request with `head`, and gives its first line.
fn serve(head: &'static str) -> (ProbeTarget, thread::JoinHandle<String>) {
    let listener = listener();
    let url = format!("http://{}/healthz?full", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        for line in lines {
            if line.unwrap().is_empty() {
                break;
            }
        }
        stream.write_all(head.as_bytes()).unwrap();
        first
    });
    (ProbeTarget::Http(url.parse().unwrap()), server)
}

#[test]
fn http_passes_by_the_status_of_the_answer_itself() {
    for (head, passes, told) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            true,
            "answers 200",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", true, "answers 204"),
        ("HTTP/1.0 200 OK\r\n\r\nno length", true, "answers 200"),
        // Followed, it would fail.
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            true,
            "answers 302",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            false,
            "answers 404",
        ),
        (
            "HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n",
            false,
            "answers 503",
        ),
        ("SSH-2.0-OpenSSH\r\n\r\n", false, "does not answer: "),
        ("", false, "does not answer: "),
    ] {
        let (target, server) = serve(head);
        let answer = answer(target);
        assert_eq!(server.join().unwrap(), "GET /healthz?full HTTP/1.1");
        assert_eq!(answer.is_ok(), passes, "{head}: {answer:?}");
        let (Ok(why) | Err(why)) = answer;
        assert!(why.contains(told), "{head}: {why}");
    }
}

#[test]
fn wd_123_a_check_that_takes_too_long_has_failed() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    // It takes the connection and says nothing.
    let listener = listener();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let timeout = Duration::from_millis(50);
    let mut probe = Probe::new(options(ProbeTarget::Http(url.parse().unwrap()), timeout));
    let ProbeState::Failed(why) = ask(&mut probe) else {
        panic!("nobody answered");
    };
    assert!(
        why.contains("no answer within 50ms") || why.contains("timeout"),
        "{why}"
    );
}

#[test]
fn a_thread_does_not_outlive_its_time_by_much() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let listener = listener();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let why = ask::http(&url.parse().unwrap(), Duration::from_millis(20)).unwrap_err();
    assert!(why.contains("does not answer: "), "{why}");
}

#[test]
fn wd_123_while_a_thread_hangs_no_other_is_started() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let listener = listener();
    let target = tcp(listener.local_addr().unwrap());
    let mut probe = Probe::new(options(target, LONG));
    let (release, hang) = mpsc::channel::<()>();
    let hanging = Errand::send(move || {
        let _ = hang.recv();
        Ok("late".to_owned())
    });
    let hanging = hanging.unwrap();
    probe.errand = Some(Arc::clone(&hanging));
    probe.stage = Stage::Errand(Timestamp::ZERO + LONG);
    assert_eq!(probe.advance(Timestamp::ZERO), ProbeState::Running);
    assert_eq!(
        (probe.due(), probe.sources().count()),
        (Timestamp::ZERO + LONG, 1)
    );
    let state = probe.advance(Timestamp::ZERO + LONG);
    assert_eq!(state, ProbeState::Failed("no answer within 50s".to_owned()));
    let state = ask(&mut probe);
    assert_eq!(
        state,
        ProbeState::Failed("the check before still hangs".to_owned())
    );
    drop(release);
    wait_any(&[hanging.answered()], None);
    assert!(matches!(ask(&mut probe), ProbeState::Passed(_)));
}

#[test]
fn a_file_passes_if_it_was_written_since_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ready");
    let second = Duration::from_secs(1);
    let start = SystemTime::UNIX_EPOCH + second * 1_000_000 + second / 2;
    let written = |at: SystemTime| {
        File::create(&path).unwrap().set_modified(at).unwrap();
        ask::file(&path, start).is_ok()
    };
    assert!(written(start + second / 3));
    assert!(written(start));
    assert!(written(start - TICK));
    assert!(!written(start - TICK - Duration::from_millis(1)));
    // A file system that knows whole seconds only.
    assert!(written(start - second / 2));
    assert!(!written(start - second * 5 / 2));
    std::fs::remove_file(&path).unwrap();
    let why = ask::file(&path, start).unwrap_err();
    assert!(why.contains("is not there: "), "{why}");
}

#[test]
fn a_relative_file_is_found_in_the_directory_of_the_service() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(ProbeTarget::File("ready".into()), LONG);
    options.surroundings.directory = Some(directory.path().to_owned());
    let mut probe = Probe::new(options);
    assert!(matches!(ask(&mut probe), ProbeState::Failed(_)));
    File::create(directory.path().join("ready")).unwrap();
    let why = format!("{} was written", directory.path().join("ready").display());
    assert_eq!(ask(&mut probe), ProbeState::Passed(why));
}

/// Asks by a program, and gives the answer with the program's path left out.
fn exec(bench: &Bench, task: TaskOptions) -> Answer {
    let program = task.command[0].to_string_lossy().into_owned();
    let command = task.command.iter().map(Template::literal);
    let mut options = options(ProbeTarget::Exec(command.collect()), task.timeout);
    options.surroundings = task.surroundings;
    let state = ask(&mut Probe::new(options));
    bench.census.assert_empty();
    match state {
        ProbeState::Passed(why) => Ok(why.replace(&program, "program")),
        ProbeState::Failed(why) => Err(why.replace(&program, "program")),
        ProbeState::Running => unreachable!("it has been waited for"),
    }
}

#[test]
fn a_program_passes_by_its_exit_code_and_its_last_words_are_told() {
    let bench = Bench::new();
    assert_eq!(
        exec(&bench, bench.options(&["exits", "0"], LONG)),
        Ok("program exits 0 succeeded".to_owned())
    );
    assert_eq!(
        exec(&bench, bench.options(&["exits", "3"], LONG)),
        Err("program exits 3 exited with 3: ready".to_owned())
    );
    let why = answer(ProbeTarget::Exec(vec![Template::literal("/no/such/check")])).unwrap_err();
    assert!(why.contains("/no/such/check"), "{why}");
}

#[test]
fn a_program_has_the_environment_of_the_service() {
    let bench = Bench::new();
    let mut task = bench.options(&["ignores-term"], LONG);
    let variables = &mut task.surroundings.variables;
    variables.set("WINDDOWN_STUBBORN_LIFE", "1ms");
    let why = exec(&bench, task).unwrap_err();
    assert_eq!(why, "program ignores-term exited with 99: ready");
}

#[test]
fn wd_123_a_program_that_takes_too_long_is_killed_and_has_failed() {
    let bench = Bench::new();
    let why = exec(
        &bench,
        bench.options(&["double-forks"], Duration::from_millis(300)),
    )
    .unwrap_err();
    assert!(
        why.starts_with("program double-forks gave no answer within 300ms"),
        "{why}"
    );
}

#[test]
fn wd_120_checks_say_when_a_service_becomes_healthy_and_when_no_longer() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let listener = listener();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let rules = HealthRules {
        interval: Duration::from_millis(5),
        failures: 2,
        ..HealthRules::default()
    };
    let now = Monotonic.now();
    let mut checks = Checks::new(Probe::new(options(tcp(address), LONG)), rules, now, now);
    assert_eq!(
        checks.awaited(),
        format!("tcp {address} has not answered yet")
    );
    let mut next = || loop {
        if let Some(change) = checks.advance(Monotonic.now()) {
            return (change.0, checks.awaited());
        }
        let sources: Vec<_> = checks.sources().collect();
        wait_any(&sources, Monotonic.sleep_until(checks.due()));
    };
    let (health, why) = next();
    assert_eq!(health, Health::Unhealthy);
    assert!(why.contains("cannot be reached"), "{why}");
    let listener = TcpListener::bind(address).unwrap();
    assert_eq!(
        next(),
        (
            Health::Healthy,
            format!("it takes connections at {address}")
        )
    );
    drop(listener);
    assert_eq!(next().0, Health::Unhealthy);
}

#[test]
fn wd_123_no_check_begins_before_the_interval_is_over() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let listener = listener();
    let target = tcp(listener.local_addr().unwrap());
    let rules = HealthRules {
        interval: LONG,
        ..HealthRules::default()
    };
    let begun = Monotonic.now();
    let mut checks = Checks::new(Probe::new(options(target, LONG)), rules, begun, begun);
    while checks.advance(begun).is_none() {
        wait_any(&checks.sources().collect::<Vec<_>>(), None);
    }
    assert_eq!(checks.due(), begun + LONG);
    let just_before = begun + (LONG - Duration::from_nanos(1));
    assert_eq!(checks.advance(just_before), None);
    assert_eq!(checks.sources().count(), 0);
    checks.advance(begun + LONG);
    assert_eq!(checks.due(), begun + LONG * 2);
}
