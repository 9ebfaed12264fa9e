//! Children: what they start with, how they end, what a failed start says.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use winddown_core::Signal;
use winddown_sys::process::{
    Child, EnvChange, Exit, Facts, Group, Runtime, SpawnOptions, State, Stream, evidence, facts,
    glance, spawn,
};
use winddown_sys::{Error, signal, wait_any};
use winddown_testkit::{Census, Watchdog};

const LIMIT: Duration = Duration::from_secs(20);

thread_local! {
    /// Marks what a test starts: each has a thread of its own.
    static CENSUS: Census = Census::begin();
}

/// A test that ends in time and leaves nothing running.
struct Watched {
    _watchdog: Watchdog,
}

fn watched() -> Watched {
    Watched {
        _watchdog: Watchdog::arm(2 * LIMIT),
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !thread::panicking() {
            CENSUS.with(Census::assert_empty);
        }
    }
}

fn sh(script: &str) -> SpawnOptions {
    program("sh", &["-c", script])
}

fn program(program: &str, arguments: &[&str]) -> SpawnOptions {
    let mut options = SpawnOptions::new(program, arguments);
    options.env = CENSUS.with(|census| {
        let (name, mark) = census.variable();
        vec![(name.into(), EnvChange::Set(mark.into()))]
    });
    options
}

#[track_caller]
fn end_of(child: &Child) -> Exit {
    if wait_any(&[child], Some(LIMIT)) != [true] {
        child.kill().unwrap();
        panic!("{} did not end within {LIMIT:?}", child.pid());
    }
    child.try_wait().unwrap().expect("the child is ready")
}

#[track_caller]
fn output_of(mut options: SpawnOptions) -> String {
    options.stdout = Stream::Pipe;
    let mut child = spawn(&options).unwrap();
    let mut output = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut output).unwrap();
    assert_eq!(end_of(&child), Exit::Code(0), "{options:?} said {output}");
    output
}

fn words(text: &str) -> Vec<&str> {
    text.split_ascii_whitespace().collect()
}

/// Starts `script`, which prints a line once it is set up, and waits for that.
fn started(script: &str) -> Child {
    let mut options = sh(script);
    options.stdout = Stream::Pipe;
    let child = spawn(&options).unwrap();
    let mut line = [0];
    child
        .stdout
        .as_ref()
        .unwrap()
        .read_exact(&mut line)
        .unwrap();
    child
}

/// WD-93.
#[test]
fn wd_93_an_exit_is_told_exactly_and_again_and_nothing_is_signalled_after_it() {
    let _watched = watched();
    let child = spawn(&sh("exit 7")).unwrap();
    assert_eq!(end_of(&child), Exit::Code(7));
    assert_eq!(child.try_wait().unwrap(), Some(Exit::Code(7)));
    assert_eq!(wait_any(&[&child], Some(Duration::ZERO)), [true]);
    assert!(matches!(child.signal(Signal::Term), Err(Error::Gone)));
    child.kill().unwrap();
}

#[test]
fn a_death_by_signal_is_told_by_name() {
    let _watched = watched();
    let child = spawn(&program("sleep", &["60"])).unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    assert_eq!(wait_any(&[&child], Some(Duration::ZERO)), [false]);
    child.signal(Signal::Term).unwrap();
    assert_eq!(end_of(&child).to_string(), "SIGTERM");
    let child = spawn(&sh("kill -34 $$")).unwrap();
    let number = signal::number(Signal::Rt(0)).unwrap();
    assert!(
        matches!(end_of(&child), Exit::Signal { number: n, signal: Some(Signal::Rt(0)), .. } if n == number)
    );
}

/// Nobody else's descriptors: not those that this process inherited or opened without close-on-exec.
#[test]
fn a_child_has_only_its_streams_and_what_is_passed() {
    let _watched = watched();
    let leaked: Vec<OwnedFd> = (0..20)
        .map(|_| {
            let file = File::open("/dev/null").unwrap();
            let flags = rustix::io::FdFlags::empty();
            rustix::io::fcntl_setfd(&file, flags).unwrap();
            file.into()
        })
        .collect();
    // 3 is the directory that ls reads.
    assert_eq!(
        words(&output_of(sh("ls /proc/self/fd"))),
        ["0", "1", "2", "3"]
    );
    drop(leaked);
}

/// The numbers of the sources are targets, crosswise.
#[test]
fn descriptors_are_passed_at_their_numbers() {
    let _watched = watched();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| -> OwnedFd {
        let path = directory.path().join(name);
        fs::write(&path, name).unwrap();
        File::open(path).unwrap().into()
    };
    let (one, other) = (file("one"), file("other"));
    let (at_one, at_other) = (one.as_raw_fd(), other.as_raw_fd());
    let mut options = sh(&format!(
        "cat /proc/self/fd/{at_one}; echo; cat /proc/self/fd/{at_other}; echo; cat <&3"
    ));
    options.pass_fds = vec![(other, at_one), (one, at_other), (file("third"), 3)];
    if [at_one, at_other].contains(&3) {
        options.pass_fds.pop();
        options.args[1] = format!(
            "cat /proc/self/fd/{at_one}; echo; cat /proc/self/fd/{at_other}; echo; echo third"
        )
        .into();
    }
    assert_eq!(words(&output_of(options)), ["other", "one", "third"]);
}

#[test]
fn streams_are_pipes_files_or_nothing() {
    let _watched = watched();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("errors");
    let mut options = sh("cat; echo problem >&2");
    options.stdin = Stream::Pipe;
    options.stdout = Stream::Pipe;
    options.stderr = Stream::File(File::create(&path).unwrap());
    for _ in 0..2 {
        let mut child = spawn(&options).unwrap();
        child.stdin.take().unwrap().write_all(b"through").unwrap();
        let mut output = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut output)
            .unwrap();
        assert_eq!(
            (end_of(&child), output.as_str()),
            (Exit::Code(0), "through")
        );
    }
    assert_eq!(fs::read_to_string(path).unwrap(), "problem\nproblem\n");
    let mut silent = sh("readlink /proc/self/fd/0");
    silent.stdin = Stream::Null;
    assert_eq!(output_of(silent), "/dev/null\n");
}

/// WD-84.
#[test]
fn wd_84_a_child_starts_with_clean_signals() {
    let _watched = watched();
    let blocked = signal::block_all_on_this_thread();
    // Rust's runtime ignores PIPE in this process.
    let status = output_of(sh("grep -E 'Sig(Blk|Ign):' /proc/self/status"));
    drop(blocked);
    // Of 32 and 33, which the C library keeps for itself, a program cannot set the disposition.
    let mask = |at: usize| u64::from_str_radix(words(&status)[at], 16).unwrap() & !(0b11 << 31);
    assert_eq!((mask(1), mask(3)), (0, 0), "{status}");
}

#[test]
fn the_environment_is_changed_in_order() {
    let _watched = watched();
    let mut options = sh("echo $GONE $SET $OWN $$");
    options.env.extend([
        ("GONE".into(), EnvChange::Set("x".into())),
        ("GONE".into(), EnvChange::Remove),
        ("SET".into(), EnvChange::Set("value".into())),
        ("OWN".into(), EnvChange::OwnPid),
    ]);
    let output = output_of(options);
    let [set, own, pid] = words(&output)[..] else {
        panic!("{output}");
    };
    assert_eq!((set, own), ("value", pid));

    let mut options = SpawnOptions::new("env", [""; 0]);
    options.env_clear = true;
    options.env = vec![("ONLY".into(), EnvChange::Set("this".into()))];
    assert_eq!(output_of(options), "ONLY=this\n");
}

/// The name is searched for in the child's PATH, not in ours.
#[test]
fn a_name_is_found_in_the_childs_path() {
    let _watched = watched();
    let directory = tempfile::tempdir().unwrap();
    script(
        &directory.path().join("named-so"),
        "#!/bin/sh\necho found\n",
        0o755,
    );
    let mut options = SpawnOptions::new("named-so", [""; 0]);
    assert!(matches!(
        spawn(&options),
        Err(Error::ProgramNotFound { .. })
    ));
    options.env = vec![("PATH".into(), EnvChange::Set(directory.path().into()))];
    assert_eq!(output_of(options), "found\n");
}

#[test]
fn a_relative_program_is_found_from_the_childs_directory() {
    let _watched = watched();
    let directory = tempfile::tempdir().unwrap();
    script(&directory.path().join("here"), "#!/bin/sh\npwd\n", 0o755);
    let mut options = SpawnOptions::new("./here", [""; 0]);
    options.directory = Some(directory.path().into());
    let there = directory.path().canonicalize().unwrap();
    assert_eq!(output_of(options).trim_end(), there.to_str().unwrap());
}

/// WD-133: no shell reads them: spaces, quotes and what is no Unicode at all.
#[test]
fn wd_133_odd_paths_and_arguments_arrive_as_they_were_given() {
    let _watched = watched();
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let base = tempfile::tempdir().unwrap();
    let odd = OsStr::from_bytes(b"it's \"a dir\" $HOME `x` \\ \xc3\xa9\xff\n.");
    let directory = base.path().join(odd);
    fs::create_dir(&directory).unwrap();
    let print = "#!/bin/sh\nprintf '%s|' \"$PWD\" \"$@\"\n";
    script(&directory.join("my prog 'é"), print, 0o755);
    let arguments = ["two words", "it's \"quoted\" \\", "", "$HOME *", "é中\n"];
    let programs = [
        directory.join("my prog 'é"),
        Path::new("./my prog 'é").into(),
        Path::new("..").join(odd).join("my prog 'é"),
    ];
    for program in programs {
        let mut options = SpawnOptions::new(&program, arguments);
        options.directory = Some(directory.clone());
        options.stdout = Stream::Pipe;
        let mut child = spawn(&options).unwrap();
        let mut output = Vec::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut output)
            .unwrap();
        let expected = [directory.as_os_str()]
            .into_iter()
            .chain(arguments.map(OsStr::new));
        let expected: Vec<&[u8]> = expected.map(OsStr::as_bytes).chain([&b""[..]]).collect();
        assert_eq!(
            output.escape_ascii().to_string(),
            expected.join(&b'|').escape_ascii().to_string()
        );
        assert_eq!(end_of(&child), Exit::Code(0));
    }
}

#[test]
fn sessions_and_groups_are_as_asked() {
    let _watched = watched();
    let ids = |group| {
        let mut options = sh("cut -d' ' -f5,6 /proc/$$/stat; echo $$");
        options.group = group;
        let output = output_of(options);
        let ids: Vec<i32> = words(&output)
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        (ids[0], ids[1], ids[2])
    };
    // Both are 0 where their leader is outside of the pid namespace, which rustix takes for a fault.
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    let own: Vec<&str> = own.rsplit(')').next().unwrap().split(' ').collect();
    let (own_group, own_session): (i32, i32) = (own[3].parse().unwrap(), own[4].parse().unwrap());
    let (group, session, pid) = ids(Group::Session);
    assert_eq!((group, session), (pid, pid));
    let (group, session, pid) = ids(Group::Own);
    assert_eq!((group, session), (pid, own_session));
    let (group, session, _) = ids(Group::Same);
    assert_eq!((group, session), (own_group, own_session));
}

fn script(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What a shell says with 127 and 126.
#[test]
fn a_failed_start_says_why_and_leaves_no_zombie() {
    let _watched = watched();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    script(path("no-interpreter").as_ref(), "#!/no/such/shell\n", 0o755);
    script(path("no-permission").as_ref(), "#!/bin/sh\n", 0o644);
    script(path("no-format").as_ref(), "\x7fELF nonsense", 0o755);

    let failure = |program: &str| spawn(&SpawnOptions::new(program, [""; 0])).unwrap_err();
    for program in ["no-such-program", "/no/such/program", "/etc/passwd/x", ""] {
        let error = failure(program);
        assert!(
            matches!(error, Error::ProgramNotFound { .. }),
            "{program}: {error}"
        );
    }
    let there = ["no-interpreter", "no-permission"].map(path);
    for program in there.iter().map(String::as_str).chain(["/etc"]) {
        let error = failure(program);
        assert!(
            matches!(error, Error::NotExecutable { .. }),
            "{program}: {error}"
        );
    }
    let mut options = sh("true");
    options.directory = Some("/no/such/directory".into());
    let error = spawn(&options).unwrap_err();
    assert!(matches!(error, Error::Directory { .. }), "{error}");
    let nul = spawn(&sh("echo \0")).unwrap_err();
    assert!(matches!(nul, Error::Os { .. }), "{nul}");
}

/// As `execvp(3)` does it, and so every shell and supervisor.
#[test]
fn a_script_without_a_first_line_is_run_by_sh() {
    let _watched = watched();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plain");
    script(&path, "echo $0 $1\n", 0o755);
    let options = SpawnOptions::new(&path, ["argument"]);
    assert_eq!(output_of(options), format!("{} argument\n", path.display()));
}

#[test]
fn facts_tell_how_signals_are_treated() {
    let _watched = watched();
    let child = started("trap '' HUP; trap 'exit 0' TERM; echo; while :; do sleep 60 & wait; done");
    let about = facts(child.pid()).unwrap();
    assert!(about.ignored.contains(&Signal::Hup) && about.caught.contains(&Signal::Term));
    assert!(!about.init && about.blocked.is_empty() && about.runtime.is_none());
    assert!(about.takes_default(Signal::Usr1));
    assert!(!about.takes_default(Signal::Hup) && !about.takes_default(Signal::Term));
    let about = of_signals(&about);
    for signals in [&[Signal::Term][..], &[Signal::Term, Signal::Usr1]] {
        let seen = glance(child.pid(), signals).unwrap();
        // It has one thread.
        assert_eq!(of_signals(&seen.into_facts()), about);
    }
    let last = glance(child.pid(), &[Signal::Term]).unwrap();
    // The sleep is in the same session, which is the shell's own.
    kill_group(&child);
    end_of(&child);
    assert_eq!(facts(child.pid()), None);
    assert!(glance(child.pid(), &[Signal::Term]).is_none());
    // Also when it has gone.
    assert_eq!(of_signals(&last.into_facts()), about);
}

/// All but what it is doing at the moment.
fn of_signals(about: &Facts) -> Facts {
    Facts {
        state: State::Unknown,
        ..about.clone()
    }
}

#[test]
fn facts_tell_the_runtime() {
    let _watched = watched();
    if Path::new("/usr/bin/python3").exists() {
        let mut options = SpawnOptions::new(
            "/usr/bin/python3",
            ["-c", "print(); import time; time.sleep(60)"],
        );
        options.args.insert(0, "-u".into());
        options.stdout = Stream::Pipe;
        let child = spawn(&options).unwrap();
        child.stdout.as_ref().unwrap().read_exact(&mut [0]).unwrap();
        let about = facts(child.pid()).unwrap();
        assert_eq!(about.runtime, Some(Runtime::Python));
        assert!(about.caught.contains(&Signal::Int));
        child.kill().unwrap();
        end_of(&child);
    }
}

#[test]
fn evidence_names_state_command_and_threads() {
    let _watched = watched();
    let child = started("echo; kill -STOP $$; : marker");
    let deadline = std::time::Instant::now() + LIMIT;
    let seen = loop {
        let seen = evidence(child.pid()).unwrap();
        if seen.threads[0].state == State::Stopped || std::time::Instant::now() > deadline {
            break seen;
        }
        std::thread::yield_now();
    };
    child.kill().unwrap();
    end_of(&child);
    assert_eq!(seen.threads[0].state, State::Stopped);
    assert_eq!((seen.thread_count, seen.open_files), (1, Some(3)));
    assert!(seen.command.contains(": marker"), "{seen}");
    assert!(seen.to_string().contains("stopped"), "{seen}");
    assert_eq!(evidence(child.pid()), None);
}

fn kill_group(child: &Child) {
    let pid = rustix::process::Pid::from_raw(child.pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).unwrap();
}
