//! What `winddown run` starts a program with, from its definition and its flags.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::process::Command;

use support::{End, Place, as_ordinary_user};

fn end(mut command: Command) -> End {
    End::of(command.spawn().unwrap())
}

fn run_definition(place: &Place, text: &str) -> End {
    place.write("winddown.toml", text);
    end(place.winddown(["run", "--config", "winddown.toml"]))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn wd_130_every_setting_of_a_definition_reaches_the_program() {
    let place = Place::new();
    fs::create_dir(place.path("my dir")).unwrap();
    place.write("one.env", "FILE=one # comment\nBOTH='from $one'\n");
    place.write("my dir/input", "read from a file\n");
    let identity = if is_root() {
        "user = 'nobody'\ngroup = 'nogroup'\ngroups = ['daemon']\ncapabilities = ['net_bind_service']"
    } else {
        ""
    };
    // The directory of the test is for its user alone.
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(place.directory.path(), all).unwrap();
    let script = "pwd; cat; umask; nice; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; \
                  grep -E '^(NoNewPrivs|Cpus_allowed_list|CapBnd|CapAmb)' /proc/self/status; \
                  echo $FILE/$BOTH/$SET/$1; id -u; id -G; echo $HOME";
    let end = run_definition(
        &place,
        &format!(
            r#"
            command = ["sh", "-c", {script:?}, "sh", "${{BOTH}} costs $$1"]
            directory = "my dir"
            stdin = "input"
            environment-files = ["../one.env", "-none.env"]
            environment = {{ SET = "set ${{FILE}}" }}
            umask = "027"
            priority = "idle"
            affinity = "0"
            limits = {{ nofile = "64:128", core = 0 }}
            oom-score-adjust = 900
            no-new-privileges = true
            {identity}
            "#
        ),
    );
    assert_eq!(end.code(), Some(0), "{end:#?}");
    let mut lines = end.stdout.lines();
    assert!(lines.next().unwrap().ends_with("/my dir"), "{end:#?}");
    let seen: Vec<String> = lines.map(|line| line.replace('\t', " ")).collect();
    let common = ["read from a file", "0027", "19", "64", "128", "900"];
    assert_eq!(seen[..6], common, "{end:#?}");
    let find = |start: &str| {
        seen.iter()
            .find(|line| line.starts_with(start))
            .unwrap()
            .as_str()
    };
    assert_eq!(find("NoNewPrivs"), "NoNewPrivs: 1");
    assert_eq!(find("Cpus_allowed_list"), "Cpus_allowed_list: 0");
    assert!(
        seen.contains(&"one/from $one/set one/from $one costs $1".to_owned()),
        "{end:#?}"
    );
    if is_root() {
        assert_eq!(find("CapBnd"), "CapBnd: 0000000000000400");
        assert_eq!(find("CapAmb"), "CapAmb: 0000000000000400");
        assert_eq!(
            seen[seen.len() - 3..seen.len() - 1],
            ["65534", "65534 1"],
            "{end:#?}"
        );
        assert_ne!(seen[seen.len() - 1], "/root");
    }
    place.census.assert_empty();
}

#[test]
fn flags_add_to_a_definition_and_win() {
    let place = Place::new();
    fs::create_dir(place.path("there")).unwrap();
    place.write("flag.env", "FILE=${HOME}\nA=file\n");
    place.write(
        "winddown.toml",
        "command = ['true']\nenvironment = { A = 'definition', B = 'definition' }\n",
    );
    let script = "echo $A,$B,$C,$FILE,${PWD##*/}";
    let mut command = place.winddown(["run", "--config", "winddown.toml", "--directory", "there"]);
    command.args([
        "--env",
        "B=flag",
        "--env=C=a=$$ ${A}",
        "--env-file",
        "flag.env",
    ]);
    command.args(["--", "sh", "-c", script]);
    let end = end(command);
    assert_eq!(
        end.stdout, "definition,flag,a=$$ ${A},${HOME},there\n",
        "{end:#?}"
    );

    let usage = place.winddown(["run", "--env", "NAME", "--", "true"]);
    let usage = End::of({ usage }.spawn().unwrap());
    assert_eq!(usage.code(), Some(2));
    assert!(usage.stderr.contains("there is no `=`"), "{usage:#?}");
    place.census.assert_empty();
}

#[test]
fn wd_132_a_user_may_be_a_flag() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let script = "id -un; echo $USER";
    let end = end(place.winddown([
        "run",
        "--user",
        "nobody",
        "--directory",
        "/",
        "--",
        "sh",
        "-c",
        script,
    ]));
    assert_eq!(end.stdout, "nobody\nnobody\n", "{end:#?}");
    place.census.assert_empty();
}

/// By default there is nothing to read: nssm #4, a batch file that asks before it ends.
#[test]
fn a_definitions_program_reads_nothing_unless_it_says_so() {
    let place = Place::new();
    place.write("input", "typed\n");
    for (key, expected) in [
        ("", ""),
        ("stdin = 'inherit'", "typed\n"),
        ("stdin = 'input'", "typed\n"),
    ] {
        place.write("winddown.toml", &format!("command = ['cat']\n{key}"));
        let mut command = place.winddown(["run", "--config", "winddown.toml"]);
        command.stdin(fs::File::open(place.path("input")).unwrap());
        assert_eq!(end(command).stdout, expected, "{key}");
    }
    place.census.assert_empty();
}

#[test]
fn only_what_is_set_is_there_in_a_cleared_environment() {
    let place = Place::new();
    let text = "command = ['/usr/bin/env']\nclear-environment = true\nenvironment = { A = '1' }";
    let end = run_definition(&place, text);
    // The mark of its tree is there in any case.
    let of_tree = |line: &&str| line.starts_with("WINDDOWN_TREE=");
    let others: Vec<&str> = end.stdout.lines().filter(|line| !of_tree(line)).collect();
    assert_eq!(others, ["A=1"]);
    let text =
        "command = ['/usr/bin/env']\nclear-environment = true\nenvironment = { A = '${HOME}' }";
    let end = run_definition(&place, text);
    assert_eq!(end.code(), Some(2));
    assert_eq!(
        end.stderr,
        "error: the variable A refers to ${HOME}, and there is no variable HOME\n"
    );
    place.census.assert_empty();
}

#[test]
fn wd_130_what_cannot_be_set_is_said_with_the_way_out() {
    let place = Place::new();
    for (text, code, stderr) in [
        (
            "user = 'no-such-user'",
            2,
            "error: there is no user no-such-user\n",
        ),
        (
            "environment-files = ['none.env']",
            2,
            "none.env: No such file or directory (os error 2)\n\
             hint: in a definition, `-` before its name says that it may be missing\n",
        ),
        (
            "environment-files = ['wrong.env']",
            2,
            "wrong.env:2:2: there is no `=` in this line\n",
        ),
        (
            "stdin = 'none'",
            2,
            "none as the standard input of `true`: No such file or directory (os error 2)\n\
             hint: `stdin` is `null`, `inherit` or a file: make it, or name another one\n",
        ),
        (
            "command = ['${EMPTY}']\nenvironment = { EMPTY = '' }",
            2,
            "error: the name of the program is empty, since all variables that it refers to are\n",
        ),
        (
            "affinity = '1000'",
            2,
            "hint: name processors that this machine has and that winddown itself may use\n",
        ),
    ] {
        place.write("wrong.env", "A=1\nB\n");
        let program = match text.starts_with("command") {
            true => "",
            false => "command = ['true']\n",
        };
        let end = run_definition(&place, &format!("{program}{text}"));
        assert_eq!(end.code(), Some(code), "{end:#?}");
        assert!(end.stderr.ends_with(stderr), "{end:#?}");
    }
    let user = as_ordinary_user();
    if !user.is_empty() {
        let mut command = place.command(user[0], &user[1..]);
        command.args([support::WINDDOWN, "run", "--user", "root", "--", "true"]);
        let end = end(command);
        assert_eq!(end.code(), Some(77), "{end:#?}");
        assert!(
            end.stderr.contains("hint: only root changes users"),
            "{end:#?}"
        );
    }
    place.census.assert_empty();
}
