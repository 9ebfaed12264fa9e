//! `TerminateProcess` of `winddown run`: nothing that it started outlives it (WD-97). And what lives on when it stops (WD-109).
#![cfg(windows)]

mod windows_support;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use winddown_sys::testing;
use winddown_testkit::{Watchdog, stubborn_program};
use windows_support::{Installed, Stopped, WINDDOWN, wait_for};

/// What wrappers without a job leave behind (winsw #105): a child, a grandchild, one in a console of its own, one that has lost its parent.
const SHAPES: [&str; 5] = [
    "ignores-term",
    "fork-ignores-term",
    "deep-tree 3",
    "setsid-child",
    "double-forks",
];

fn terminate(pid: u32) {
    let mut kill = Command::new("taskkill");
    let kill = kill.args(["/F", "/PID", &pid.to_string()]);
    assert!(kill.output().unwrap().status.success());
}

#[test]
fn wd_97_nothing_outlives_a_killed_winddown() {
    let _watchdog = Watchdog::arm(Duration::from_secs(100));
    for shape in SHAPES {
        let mut winddown = Command::new(WINDDOWN)
            .args(["run", "--"])
            .arg(stubborn_program())
            .args(shape.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(winddown.stdout.take().unwrap());
        let mut line = String::new();
        while line != "ready\n" {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "{shape}");
        }
        let killed = Instant::now();
        winddown.kill().unwrap();
        // It ends with the last process that holds it.
        output.read_to_end(&mut Vec::new()).unwrap();
        println!("{shape}: gone after {:?}", killed.elapsed());
        winddown.wait().unwrap();
    }
}

#[test]
fn wd_97_nothing_outlives_a_killed_service() {
    for shape in SHAPES {
        let service = Installed::new("killed", |directory| {
            let mut arguments: Vec<OsString> = vec!["--log-file".into()];
            arguments.push(directory.join("log").into());
            arguments.extend(["--stop-timeout=1s".into(), "--".into()]);
            arguments.push(stubborn_program().into());
            arguments.push("--ready-file".into());
            arguments.push(directory.join("ready").into());
            arguments.extend(shape.split(' ').map(Into::into));
            arguments
        });
        service.start();
        wait_for(&service.path("ready"));
        let mut log = String::new();
        while !log.ends_with("ready\n") {
            thread::sleep(Duration::from_millis(10));
            log = fs::read_to_string(service.path("log")).unwrap_or_default();
        }
        let children = log.lines().filter_map(|line| line.strip_prefix("child "));
        let mut pids: Vec<u32> = children.map(|pid| pid.parse().unwrap()).collect();
        // One that started a daemon has ended.
        let last = pids.last();
        assert!(last.is_none_or(|pid| testing::is_running(*pid)), "{log}");
        let winddown = service.service.status().unwrap().pid.unwrap();
        pids.push(winddown);

        let killed = Instant::now();
        terminate(winddown);
        while pids.iter().any(|pid| testing::is_running(*pid)) {
            thread::sleep(Duration::from_millis(1));
        }
        println!("{shape}: gone after {:?}", killed.elapsed());
        // Wine's SCM does not notice the end of a process, but starts another.
        service.start();
        assert_eq!(service.stop().report["survivors"], 0);
    }
}

/// WD-109, nssm #22: the updater of a program lives on when its service is stopped; only the test ends it.
#[test]
fn wd_109_an_updater_lives_on_when_its_service_is_stopped() {
    let service = Installed::defined(
        "updated",
        "command = ['./serve.cmd']\n[stop]\ntimeout = '20s'\noutlive = ['updater.exe']\n",
    );
    for copy in ["updater.exe", "program.exe"] {
        fs::copy(stubborn_program(), service.path(copy)).unwrap();
    }
    let script = "@echo off\r\nupdater.exe daemonizes ignores-term > updater\r\n\
                  program.exe --ready-file ready graceful\r\n";
    fs::write(service.path("serve.cmd"), script).unwrap();
    service.start();
    wait_for(&service.path("ready"));
    let said = fs::read_to_string(service.path("updater")).unwrap();
    let updater = said.lines().find_map(|line| line.strip_prefix("child "));
    let updater = updater.unwrap().parse().unwrap();

    let Stopped { report, codes, .. } = service.stop();
    assert_eq!(report["verdict"], "graceful", "{report:#}");
    assert_eq!(report["proof"]["by"], "outlived", "{report:#}");
    let which = report["proof"]["why"].as_str().unwrap();
    assert!(
        which.contains(&format!("updater.exe ({updater}")),
        "{which}"
    );
    assert_eq!(codes, (0, 0));
    assert!(testing::is_running(updater));
    terminate(updater);
}
