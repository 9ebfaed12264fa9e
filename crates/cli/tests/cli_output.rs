//! What the command writes: help, completions, manual pages, results and errors.

use std::io::Read;
use std::process::{Command, Output, Stdio};

use winddown_core::exit::EXIT_CODES;

fn winddown(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_winddown"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What it wrote to standard output, where it worked.
#[track_caller]
fn written(arguments: &[&str]) -> String {
    let output = winddown(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    assert_eq!(output.stderr, b"", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it wrote to standard error, where it did not.
#[track_caller]
fn refused(arguments: &[&str], code: i32) -> String {
    let output = winddown(arguments);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {output:?}"
    );
    assert_eq!(output.stdout, b"", "{arguments:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: "), "{said}");
    said
}

const VERBS: [&str; 14] = [
    "run",
    "rehearse",
    "history",
    "host",
    "check",
    "completions",
    "man",
    "status",
    "start",
    "stop",
    "restart",
    "reload",
    "logs",
    "rotate-logs",
];

#[test]
fn every_verb_has_help_and_a_manual_page() {
    let all = written(&["--help"]);
    for verb in VERBS {
        assert!(all.contains(&format!("\n  {verb} ")), "{all}");
        let help = written(&[verb, "--help"]);
        assert!(help.contains(&format!("Usage: winddown {verb}")), "{help}");
        let page = written(&["man", verb]);
        let title = format!(".TH winddown-{verb} 1");
        assert!(page.contains(&title), "{page}");
    }
    for verb in ["no-such-verb", "help"] {
        refused(&["man", verb], 2);
    }
}

/// WD-72: the table of exit codes is the one in the code, in the help and in the manual.
#[test]
fn wd_72_the_exit_codes_are_listed() {
    for text in [written(&["--help"]), written(&["man"])] {
        for code in EXIT_CODES {
            let line = format!("{:>3}  {}", code.code, code.meaning);
            assert!(text.contains(&line), "no `{line}` in {text}");
        }
    }
}

/// Where mandoc is installed, it finds no error in them.
#[test]
fn manual_pages_are_well_formed() {
    let directory = tempfile::tempdir().unwrap();
    written(&["man", "--directory", directory.path().to_str().unwrap()]);
    let mut pages: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.sort();
    let names: Vec<_> = pages
        .iter()
        .map(|page| page.file_name().unwrap().to_string_lossy())
        .collect();
    let mut expected = VERBS.map(|verb| format!("winddown-{verb}.1")).to_vec();
    expected.push("winddown.1".to_owned());
    expected.sort();
    assert_eq!(names, expected);
    let mut mandoc = Command::new("mandoc");
    match mandoc
        .args(["-T", "lint", "-W", "error"])
        .args(&pages)
        .output()
    {
        Ok(lint) => {
            let said = String::from_utf8_lossy(&lint.stdout);
            assert!(lint.status.success(), "{said}");
        }
        Err(_) => eprintln!("skipped: mandoc is not installed"),
    }
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = written(&["completions", shell]);
        for word in ["rehearse", "stop-timeout", "repeat"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    refused(&["completions", "no-such-shell"], 2);
}

#[test]
fn the_host_is_told_with_its_evidence() {
    let text = written(&["host"]);
    assert!(
        text.starts_with("host: ") && text.contains("\nevidence:\n"),
        "{text}"
    );
    let json = written(&["host", "--output", "json"]);
    let host: serde_json::Value = serde_json::from_str(&json).unwrap();
    for key in ["kind", "in_container", "evidence"] {
        assert!(!host[key].is_null(), "no {key} in {json}");
    }
}

#[test]
fn a_definition_is_checked_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("winddown.toml");
    let path = file.to_str().unwrap();
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        ["check", path]
    };
    let said = written(&check("command = [\"a\"]\n"));
    assert_eq!(said, format!("{path} is valid\n"));
    let said = refused(&check("command = [\"a\"]\n[stop]\ntimeot = \"3s\"\n"), 2);
    assert!(said.starts_with(&format!("error: {path}:3:1: ")), "{said}");
    assert!(said.ends_with("hint: did you mean `timeout`?\n"), "{said}");
    let said = refused(&check("command = [\"a\"]\n[stop]\nsignal = \"TREM\"\n"), 2);
    assert!(said.starts_with(&format!("error: {path}:3:10: ")), "{said}");
    let said = refused(&["run", "--config", path], 2);
    assert!(said.starts_with(&format!("error: {path}:3:10: ")), "{said}");
    refused(
        &["check", directory.path().join("none").to_str().unwrap()],
        2,
    );
    let schema = written(&["check", "--schema"]);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["title"], "winddown definition file");
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for arguments in [
        &["no-such-verb"][..],
        &["run"],
        &["rehearse", "--repeat=0", "--", "true"],
        &["rehearse", "--timeout=3", "--", "true"],
        &["rehearse", "--signal=TREM", "--", "true"],
        &["rehearse", "--when=never", "--", "true"],
        // Nobody reads these as JSON.
        &["man", "--output=json"],
        &["completions", "bash", "--output=json"],
    ] {
        refused(arguments, 2);
    }
    for verb in ["run", "rehearse"] {
        let said = refused(&[verb, "--", "", "argument"], 2);
        assert_eq!(said, "error: the name of the program is empty\n");
    }
}

/// Before the program runs: afterwards it is too late.
#[test]
fn a_report_that_could_not_be_written_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing/report.json");
    for file in [missing.as_path(), directory.path()] {
        let file = file.to_str().unwrap();
        let said = refused(
            &["run", "--report", file, "--", "no-program-was-looked-for"],
            2,
        );
        let start = format!("error: cannot write the stop report to {file}: ");
        assert!(said.starts_with(&start), "{said}");
    }
    // The look leaves nothing behind, and no report is cut before there is another.
    let new = directory.path().join("new.json");
    let old = directory.path().join("old.json");
    std::fs::write(&old, "old").unwrap();
    for file in [&new, &old] {
        let file = file.to_str().unwrap();
        refused(&["run", "--report", file, "--", "no-such-program"], 127);
    }
    assert!(!new.exists());
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "old");
}

/// A reader that has read enough is no problem of the writer.
#[test]
fn a_closed_pipe_is_no_panic() {
    for arguments in [&["man"][..], &["completions", "bash"], &["--help"]] {
        let mut command = command(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        let mut stderr = child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(said, "", "{arguments:?}");
        assert!(status.success(), "{arguments:?}: {status}");
    }
}

/// Colour is for terminals, and not where `NO_COLOR` is set.
#[test]
fn nothing_is_coloured_for_programs() {
    for arguments in [&["--help"][..], &["no-such-verb"], &["host"]] {
        let mut command = command(arguments);
        let output = command.env("NO_COLOR", "1").output().unwrap();
        let escape = |bytes: &[u8]| bytes.contains(&0x1b);
        assert!(!escape(&output.stdout) && !escape(&output.stderr));
    }
}

/// WD-160: with the place, the key and the way out; nothing is started.
#[test]
fn wd_160_what_is_wrong_with_a_definition_is_named_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("winddown.toml");
    let file = file.to_str().unwrap();
    let in_common = format!(
        "[service.a]\ncommand = ['c']\nlogs.file = 'log'\n[service.b]\ncommand = ['c']\nlogs.file = '{}'",
        directory.path().join("log").display()
    );
    for (text, says) in [
        (
            &*in_common,
            ":6:1: service.b.logs: it has this in common with `a`",
        ),
        (
            "command = [\"a\", \"\\u0000\"]",
            ":1:17: command: \"\\0\" holds a NUL",
        ),
        (
            "command = [\"a\"]\n[stop]\ntimeout = 30",
            ":3:11: stop.timeout: `30` has no unit: write \"30s\"",
        ),
        (
            "command = [\"a\"]\nname = \"\"",
            ":2:8: name: the name is empty",
        ),
        (
            "[service.a]\ncommand = [\"a\"]\nhooks = { pre-start = [\"b\"] }",
            ":3:24: service.a.hooks.pre-start: expected",
        ),
    ] {
        std::fs::write(file, text).unwrap();
        for verb in [&["check"][..], &["run", "--config"]] {
            let said = refused(&[verb, &[file]].concat(), 2);
            assert!(said.contains(says), "{text}: {said}");
        }
    }
    for (bytes, says) in [
        (
            &b"name = \"a\"\ncommand = [\"\xff\"]"[..],
            ":2:13: this is not UTF-8",
        ),
        (b"\xff\xfec\0o\0", "the file is UTF-16: save it as UTF-8"),
    ] {
        std::fs::write(file, bytes).unwrap();
        let said = refused(&["check", file], 2);
        assert!(said.contains(says), "{said}");
    }
    for (flags, says) in [
        (&["--name", ""][..], "the name is empty"),
        (&["--name", "a\nb"], "control characters"),
        (&["--stop-timeout", "30"], "write 30s"),
        (&["--stop-timeout=-1s"], "negative"),
        (
            &["--signal-map", "USR1=reload"],
            "hint: name one by --config",
        ),
    ] {
        let said = refused(&[&["run"], flags, &["--", "a"]].concat(), 2);
        assert!(said.contains(says), "{said}");
    }
}

/// WD-161: what a program is to be started with and is not there is an error of the configuration, not of winddown.
#[test]
fn wd_161_surroundings_that_are_not_there_are_errors_of_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let definition = at("winddown.toml");
    std::fs::write(at("bad.env"), "A=\u{1}\nB=\"").unwrap();
    let program = env!("CARGO_BIN_EXE_winddown");
    for (keys, says, way_out) in [
        ("directory = 'missing'", "missing", "`directory`"),
        (
            "directory = 'winddown.toml'",
            "winddown.toml",
            "`directory`",
        ),
        ("stdin = 'missing'", "standard input", "`stdin`"),
        ("stdin = '.'", "standard input", "`stdin`"),
        ("environment-files = ['missing']", "environment file", "`-`"),
        ("environment-files = ['bad.env']", "bad.env:2:", ""),
        ("logs = { file = '.' }", "not a regular file", "`to`"),
        ("listen = [{ name = 'web' }]", "socket named `web`", ""),
    ] {
        let text = format!("command = ['{program}', 'host']\ncontrol = false\n{keys}");
        std::fs::write(&definition, text).unwrap();
        let said = refused(&["run", "--config", &definition], 2);
        assert!(
            said.contains(says) && said.contains(way_out),
            "{keys}: {said}"
        );
    }
}
