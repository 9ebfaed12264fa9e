//! Children and console events on Windows (under Wine): this executable itself, started again.
#![cfg(windows)]

mod windows_support;

use std::env;
use std::fs;
use std::io::{BufRead, Read};
use std::path::Path;

use tempfile::TempDir;
use winddown_core::Signal;
use winddown_sys::process::{Account, Exit, Group, Resource, Settings, SpawnOptions, spawn};
use winddown_sys::{Error, Sources, wait_any};
use winddown_testkit::Watchdog;
use windows_support::{
    PATIENCE, ROLE, arguments, exit, options, output, piped, say, sleep, wait_for,
};
use windows_sys::Win32::Foundation::STATUS_CONTROL_C_EXIT;
use windows_sys::Win32::System::Console::{FreeConsole, GetConsoleCP};
use windows_sys::Win32::System::Threading::{
    BELOW_NORMAL_PRIORITY_CLASS, GetCurrentProcess, GetPriorityClass, GetProcessAffinityMask,
    IDLE_PRIORITY_CLASS,
};

// ---- the children ----

/// Not a test of its own: what this executable does when a test starts it again, and nothing otherwise.
#[test]
fn role() {
    let Ok(role) = env::var(ROLE) else {
        return;
    };
    match role.as_str() {
        "arguments" => {
            for argument in env::args_os()
                .skip_while(|argument| argument != "--")
                .skip(1)
            {
                say(&format!("argument {argument:?}"));
            }
        }
        "place" => {
            say(&format!("in {}", env::current_dir().unwrap().display()));
            say(&format!("from {}", env::current_exe().unwrap().display()));
        }
        "settings" => {
            let (mut processors, mut all) = (0, 0);
            // SAFETY: this process's own handle, and numbers that outlive the call.
            let priority = unsafe {
                let own = GetCurrentProcess();
                GetProcessAffinityMask(own, &raw mut processors, &raw mut all);
                GetPriorityClass(own)
            };
            // SAFETY: takes nothing.
            let console = unsafe { GetConsoleCP() } != 0;
            say(&format!(
                "class {priority} processors {processors:#x} console {console}"
            ));
        }
        "asked" => {
            let sources = Sources::attach([]).unwrap();
            say("ready");
            wait_any(&[sources.wake()], None);
            let arrival = sources.drain().remove(0);
            let key = if arrival.interactive { " by a key" } else { "" };
            say(&format!("asked by {}{key}", arrival.origin.mechanism));
        }
        "tied" => {
            let mut tied = options("sleep");
            tied.die_with_parent = true;
            let _child = spawn(&tied).unwrap();
            sleep();
        }
        "sleep" => {
            say("ready");
            sleep();
        }
        "leaves its console" => {
            // SAFETY: takes nothing.
            unsafe { FreeConsole() };
            say("ready");
            sleep();
        }
        other => panic!("there is no role {other}"),
    }
}

// ---- the tests ----

/// The list of 25 black-box tests, 18: spaces, quotes, trailing backslashes, Unicode.
#[test]
fn arguments_arrive_as_they_were_given() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let odd = [
        "two words",
        r#"a "quoted" \"#,
        r"C:\my path\",
        r"\\",
        "",
        "é中",
        "^&|<>%PATH%",
    ];
    let mut options = piped("arguments");
    options.args.extend(odd.map(Into::into));
    let mut child = spawn(&options).unwrap();
    let lines = output(&mut child).lines().map(Result::unwrap);
    let arrived: Vec<_> = lines.filter(|line| line.starts_with("argument")).collect();
    assert_eq!(
        arrived,
        odd.map(|argument| format!("argument {argument:?}"))
    );
    assert_eq!(exit(&child), Exit::Code(0));
}

#[test]
fn a_request_reaches_a_child_on_its_own_console_and_not_this_process() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let sources = Sources::attach([]).unwrap();
    for signal in [Signal::Int, Signal::Term] {
        let mut child = spawn(&piped("asked")).unwrap();
        let mut output = output(&mut child);
        wait_for(&mut output, "ready");
        child.signal(signal).unwrap();
        wait_for(&mut output, "asked by console ctrl-c");
        assert_eq!(exit(&child), Exit::Code(0));
        assert!(matches!(child.signal(signal), Err(Error::Gone)));
    }
    assert!(sources.drain().is_empty());
}

/// Windows' own handler exits with `STATUS_CONTROL_C_EXIT`, Wine's with 0: only there is such a death told from a clean end.
#[test]
fn a_child_without_a_handler_ends_on_ctrl_c() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let mut child = spawn(&piped("sleep")).unwrap();
    wait_for(&mut output(&mut child), "ready");
    child.signal(Signal::Int).unwrap();
    let exit = exit(&child);
    assert!(
        [Exit::Code(0), Exit::Code(STATUS_CONTROL_C_EXIT)].contains(&exit),
        "{exit}"
    );
}

#[test]
fn what_cannot_be_sent_is_an_error_at_once() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let mut options = piped("sleep");
    options.group = Group::Same;
    let mut child = spawn(&options).unwrap();
    wait_for(&mut output(&mut child), "ready");
    for signal in [Signal::Term, Signal::Int, Signal::Usr1] {
        assert!(child.signal(signal).is_err(), "{signal}");
    }
    child.kill().unwrap();
    assert_eq!(exit(&child), Exit::Code(1));
}

/// winsw #105: no orphans when the supervisor itself is killed.
#[test]
fn a_killed_supervisor_leaves_nobody() {
    let _watchdog = Watchdog::arm(3 * PATIENCE);
    let mut supervisor = spawn(&piped("tied")).unwrap();
    let mut output = output(&mut supervisor);
    wait_for(&mut output, "ready");
    supervisor.kill().unwrap();
    // The stream ends when the last process that holds it has ended.
    output.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_program_that_is_missing_is_told_from_one_that_cannot_run() {
    let missing = spawn(&SpawnOptions::new("winddown-no-such-program", [""; 0]));
    assert!(
        matches!(missing, Err(Error::ProgramNotFound { .. })),
        "{missing:?}"
    );
    let directory = TempDir::new().unwrap();
    let text = directory.path().join("text.exe");
    fs::write(&text, "not a program").unwrap();
    let refused = spawn(&SpawnOptions::new(text, [""; 0]));
    assert!(
        matches!(refused, Err(Error::NotExecutable { .. })),
        "{refused:?}"
    );
}

fn lines(options: &SpawnOptions, start: &str) -> Vec<String> {
    let mut child = spawn(options).unwrap();
    let lines = output(&mut child).lines().map(Result::unwrap);
    let found = lines.filter(|line| line.starts_with(start)).collect();
    assert_eq!(exit(&child), Exit::Code(0));
    found
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

#[test]
fn priority_and_processors_are_set_before_the_program_runs() {
    let _watchdog = Watchdog::arm(3 * PATIENCE);
    for (nice, class) in [(10, BELOW_NORMAL_PRIORITY_CLASS), (19, IDLE_PRIORITY_CLASS)] {
        let mut options = piped("settings");
        options.settings = settings(|settings| {
            settings.nice = Some(nice);
            settings.affinity = vec![0];
        });
        let expected = format!("class {class} processors 0x1 console true");
        assert_eq!(lines(&options, "class"), [expected]);
    }
    let mut absent = piped("settings");
    absent.settings.affinity = vec![63];
    let error = spawn(&absent).unwrap_err();
    assert!(
        error.remedy().unwrap().contains("that this machine has"),
        "{error}"
    );
}

/// NSSM's AppNoConsole.
#[test]
fn a_child_without_a_console_is_told_from_others_at_once() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let mut options = piped("settings");
    options.group = Group::Detached;
    let found = lines(&options, "class");
    assert!(found[0].ends_with("console false"), "{found:?}");

    for (role, group) in [
        ("sleep", Group::Detached),
        ("leaves its console", Group::Session),
    ] {
        let mut options = piped(role);
        options.group = group;
        let mut child = spawn(&options).unwrap();
        wait_for(&mut output(&mut child), "ready");
        assert!(child.signal(Signal::Term).is_err());
        child.kill().unwrap();
        assert_eq!(exit(&child), Exit::Code(1));
    }
}

#[test]
fn wd_130_what_windows_does_not_have_is_refused() {
    assert!(matches!(
        Account::find(Some("orders"), None, &[]),
        Err(Error::Unsupported { .. })
    ));
    for refused in [
        settings(|settings| settings.umask = Some(0o027)),
        settings(|settings| {
            settings
                .limits
                .insert(Resource::Nofile, "64".parse().unwrap());
        }),
        settings(|settings| settings.oom_score_adjust = Some(7)),
        settings(|settings| settings.no_new_privileges = true),
        settings(|settings| settings.capabilities = Some(Vec::new())),
        settings(|settings| settings.affinity = vec![64]),
    ] {
        let mut options = options("sleep");
        options.settings = refused;
        let started = spawn(&options);
        assert!(
            matches!(started, Err(Error::Unsupported { .. })),
            "{started:?}"
        );
    }
}

/// The list of 25 black-box tests, 18: here in the program's path, its directory and their relation.
#[test]
fn wd_133_paths_with_spaces_quotes_and_unicode() {
    let _watchdog = Watchdog::arm(3 * PATIENCE);
    let base = TempDir::new().unwrap();
    let directory = base.path().join("it's a dir é中 & (x86) 100%");
    fs::create_dir(&directory).unwrap();
    let program = directory.join("my prog é中.exe");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let name = Path::new(program.file_name().unwrap());
    for (program, inside) in [
        (program.as_path(), &directory),
        (&Path::new(".").join(name), &directory),
        (
            &Path::new(directory.file_name().unwrap()).join(name),
            &base.path().to_owned(),
        ),
    ] {
        let mut options = piped("place");
        options.program = program.into();
        options.directory = Some(inside.clone());
        assert_eq!(lines(&options, "in "), [format!("in {}", inside.display())]);
        let from = lines(&options, "from ");
        assert!(from[0].ends_with("my prog é中.exe"), "{from:?}");
    }
}

/// WD-133, CVE-2024-24576: a batch file's arguments are part of a line that cmd.exe reads. They arrive whole or are refused, and none of
/// them is run. Percent signs too, which the standard library shows on Windows: Wine's cmd.exe expands what it keeps apart.
#[test]
fn wd_133_no_argument_of_a_batch_file_is_run_by_cmd() {
    let _watchdog = Watchdog::arm(4 * PATIENCE);
    let directory = TempDir::new().unwrap();
    let batch = directory.path().join("my batch é.cmd");
    let own = env::current_exe().unwrap();
    let script = format!(
        "@echo off\r\n\"{}\" {} %*\r\n",
        own.display(),
        arguments().join(" ")
    );
    fs::write(&batch, script).unwrap();
    for odd in [
        "plain",
        "two words",
        "",
        r"C:\my path\",
        "a & echo argument injected",
        "a\" & echo argument injected & \"",
        "| echo argument injected",
        "^& echo argument injected",
        "é中",
    ] {
        let mut options = piped("arguments");
        options.program = batch.clone().into();
        options.args = vec![odd.into(), "last".into()];
        let arrived = lines(&options, "argument");
        let expected = [odd, "last"].map(|argument| format!("argument {argument:?}"));
        assert_eq!(arrived, expected);
    }
    let mut options = piped("arguments");
    options.program = batch.into();
    options.args = vec!["a\r\necho argument injected".into()];
    let error = spawn(&options).unwrap_err();
    assert!(error.remedy().unwrap().contains("line breaks"), "{error}");
}
