//! Definitions as texts, and what they mean or why they are refused.

use winddown_core::Signal;

use super::*;
use crate::ReadyWhen;

/// Reads a definition in `/srv`.
pub(super) fn parse(text: &str) -> Result<Definition, DefinitionError> {
    Definition::parse(text, Path::new("/srv"))
}

#[test]
fn a_whole_definition_is_read() {
    let definition = parse(
        r#"
        name = "orders"
        description = "Order intake"
        command = ["./orders", "--port", "8080"]
        directory = "/srv/orders"
        environment = { RUST_LOG = "${LEVEL}$$" }
        environment-files = ["orders.env", "-/etc/orders.env"]
        clear-environment = true
        user = "orders"
        group = "1000"
        groups = ["ssl-cert"]
        umask = "0027"
        nice = -5
        affinity = "0-2, 8"
        limits = { nofile = "1024:4096", core = 0, memlock = "infinity" }
        oom-score-adjust = -500
        stdin = "input"
        console = "none"
        no-new-privileges = true
        capabilities = ["CAP_NET_BIND_SERVICE", "sys-nice"]
        [stop]
        timeout = "30s"
        signal = "INT"
        ladder = [{ signal = "TERM", wait = "20s" }, { dump = true, wait = "0" }, { kill = "tree" }]
        [ready]
        when = "notify"
        timeout = "10s"
        "#,
    )
    .unwrap();
    let options = definition
        .clone()
        .into_options(Path::new("/srv"), Duration::from_secs(1));
    let [options] = options.services.as_slice() else {
        panic!("{options:?}")
    };
    assert_eq!(options.policy.timeout, Duration::from_secs(30));
    assert_eq!(options.policy.signal(), Signal::Int);
    assert_eq!(options.ready, ReadyWhen::Notify);
    let text = toml::to_string(&definition).unwrap();
    assert_eq!(parse(&text), Ok(definition));
}

#[test]
fn an_error_names_its_place_and_the_way_out() {
    for (text, line, column, what, hint) in [
        (
            "command = [\"a\"]\nnmae = \"x\"",
            2,
            1,
            "nmae",
            Some("did you mean `name`?"),
        ),
        (
            "command = [\"a\"]\n[stop]\ntimeot = \"3s\"",
            3,
            1,
            "timeot",
            Some("did you mean `timeout`?"),
        ),
        (
            "command = [\"a\"]\n[stop]\ntimeout = \"3\"",
            3,
            11,
            "write 3s",
            None,
        ),
        (
            "command = [\"a\"]\n[stop]\nsignal = \"TREM\"",
            3,
            10,
            "TREM",
            None,
        ),
        (
            "command = [\"a\"]\n[stop]\nladder = [{ wait = \"3s\" }]",
            3,
            10,
            "one of signal",
            None,
        ),
        ("command = []", 1, 11, "empty", None),
        ("command = \"sh -c x\"", 1, 11, "expected a list", None),
        (
            "name = \"x\"",
            1,
            1,
            "missing field `command`",
            Some("name the program: command = [\"PROGRAM\", \"ARGUMENT\"]"),
        ),
        (
            "command = [\"a\"]\n[service.a]\ncommand = [\"a\"]",
            1,
            1,
            "unknown field `command`",
            Some("what is about one service belongs into its table [service.NAME]"),
        ),
        ("command = [\"a\"", 1, 15, "", None),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(
            (error.line, error.column),
            (line, column),
            "{text}: {error:?}"
        );
        assert!(error.what.contains(what), "{text}: {error:?}");
        assert_eq!(error.hint.as_deref(), hint, "{text}");
    }
}

#[test]
fn wd_160_what_no_system_can_do_or_says_nothing_is_refused_where_it_is_written() {
    let long = format!("name = \"{}\"", "x".repeat(81));
    for (keys, line, column, what) in [
        (
            "name = \"\"",
            2,
            8,
            "the name is empty: give it one, or leave it out",
        ),
        ("name = \" \"", 2, 8, "the name is empty"),
        (r#"name = "a\nb""#, 2, 8, "control characters"),
        (r#"name = "a\u0000b""#, 2, 8, "control characters"),
        (&long, 2, 8, "a name of 81 bytes is too long"),
        ("control = 3", 2, 11, "true, false or a path"),
        (
            "limits = { nofile = 99999999999999999999 }",
            2,
            21,
            "a smaller number",
        ),
        (
            "restart = { limit = { starts = 99999999999, within = \"1s\" } }",
            2,
            32,
            "a smaller number",
        ),
        ("[stop]\ntimeout = 30", 3, 11, "write \"30s\""),
        ("[stop]\ntimeout = 1.5", 3, 11, "write \"1.5s\""),
        ("[stop]\ntimeout = -3", 3, 11, "`-3` is negative"),
        ("[stop]\ntimeout = \"-3s\"", 3, 11, "`-3s` is negative"),
        ("[stop]\ntimeout = true", 3, 11, "a text such as \"30s\""),
        ("[stop]\nsignal = 15", 3, 10, "a text in quotes"),
        ("[stop]\nsignal = \"STOP\"", 3, 10, "asks nothing"),
        ("[stop]\nladder = []", 3, 10, "an empty ladder"),
        (
            "[stop]\noutlive = ['bin/updater']",
            3,
            11,
            "write it without directories",
        ),
        (
            "[stop]\nladder = [{ signal = \"STOP\" }]",
            3,
            10,
            "asks nothing",
        ),
        (
            "[stop]\nladder = [{ signal = \"TERM\", wait = 3 }]",
            3,
            37,
            "\"3s\"",
        ),
        (
            "[logs]\nfile = \"a\"\nrotate = { size = 100 }",
            4,
            19,
            "\"100MiB\"",
        ),
        (
            "[logs]\nfile = \"a\"\nrotate = { keep = -1 }",
            4,
            19,
            "0 or more",
        ),
        (
            "listen = [{ address = \"1\" }, { address = \"1\" }]",
            2,
            1,
            "twice",
        ),
    ] {
        let text = format!("command = [\"a\"]\n{keys}");
        let error = parse(&text).unwrap_err();
        assert!(error.what.contains(what), "{keys}: {error:?}");
        assert_eq!(
            (error.line, error.column),
            (line, column),
            "{keys}: {error:?}"
        );
        let key = keys.lines().last().unwrap().split(' ').next().unwrap();
        assert!(
            error.key.as_ref().is_some_and(|named| named.contains(key)),
            "{error:?}"
        );
    }
    for (text, line, what) in [
        ("[service]", 1, "no service"),
        (
            "service.a = { command = ['a'], logs.file = 'x' }\nservice.b = { command = ['a'], logs.file = 'x' }",
            2,
            "in common with `a`",
        ),
        (
            "service.a = { command = ['a'], listen = [{ address = '1' }] }\nservice.b = { command = ['a'], listen = [{ address = '1' }] }",
            2,
            "in common with `a`",
        ),
        (
            "command = ['a']\nlisten = [{ address = '127.0.0.1:81' }]\nready.tcp = '127.0.0.1:81'",
            3,
            "a socket of winddown's",
        ),
        (
            "command = ['a']\nlisten = [{ address = '127.0.0.1:81' }]\nready.tcp = 'localhost:81'",
            3,
            "a socket of winddown's",
        ),
        (
            "[service.\"\"]\ncommand = [\"a\"]",
            1,
            "the name is empty: write the table as [service.NAME]",
        ),
        (
            "[service.\" \"]\ncommand = [\"a\"]",
            1,
            "the name is empty: write the table as [service.NAME]",
        ),
        ("x = 1\n[service.a]\ncommand = [\"a\"]", 1, "unknown field"),
        (
            "name = \"\"\n[service.a]\ncommand = [\"a\"]",
            1,
            "the name is empty",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.what.contains(what), "{text}: {error:?}");
        assert_eq!(error.line, line, "{text}: {error:?}");
    }
    let elsewhere =
        "command = ['a']\nlisten = [{ address = '127.0.0.1:81' }]\nready.tcp = '10.9.9.9:81'";
    assert!(parse(elsewhere).is_ok());
    let bare = parse("command = [\"a\"]\n[stop]\ntimeout = 0").unwrap();
    let options = bare.into_options(Path::new("/"), Duration::from_secs(1));
    assert_eq!(options.services[0].policy.timeout, Duration::ZERO);
}

#[test]
fn wd_160_a_log_file_is_the_same_however_it_is_written() {
    let services = |of_a: &str, of_b: &str| {
        let table = |name, keys| format!("[service.{name}]\ncommand = ['c']\n{keys}\n");
        parse(&(table("a", of_a) + &table("b", of_b)))
    };
    for (one, other) in [
        ("logs.file = 'x'", "logs.file = './x'"),
        ("logs.file = 'x'", "logs.file = '/srv/x'"),
        ("logs.file = 'x'", "logs.file = 'a/../x'"),
        ("logs.file = 'x'", "directory = 'a'\nlogs.file = '../x'"),
        ("logs.file = 'a/x'", "directory = 'a'\nlogs.file = 'x'"),
        (
            "logs = { file = 'x', errors-file = 'y' }",
            "logs = { file = 'z', errors-file = './/x' }",
        ),
        ("logs.file = '/x'", "logs.file = '/../x'"),
    ] {
        let error = services(one, other).unwrap_err();
        assert!(
            error.what.contains("in common with `a`"),
            "{one} {other}: {error:?}"
        );
    }
    for (one, other) in [
        ("logs.file = 'x'", "logs.file = '../x'"),
        ("logs.file = 'x'", "directory = 'a'\nlogs.file = 'x'"),
    ] {
        assert!(services(one, other).is_ok(), "{one} {other}");
    }
}

#[test]
fn services_have_the_names_of_their_tables() {
    let definition = parse(
        r#"
        [stop]
        timeout = "30s"
        [service.web]
        command = ["./web"]
        requires = ["db"]
        [service.db]
        command = ["./db"]
        autostart = false
        "#,
    );
    let options = definition
        .unwrap()
        .into_options(Path::new("/srv"), Duration::from_secs(1));
    let names = options.services.iter().map(|service| service.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["db", "web"]);
    assert_eq!(options.services[1].needs.requires, ["db"]);
    assert!(!options.services[0].autostart);
    assert_eq!(options.timeout, Some(Duration::from_secs(30)));
}

#[test]
fn what_services_say_of_each_other_is_checked_where_it_is_written() {
    let table = |name: &str, rest: &str| format!("[service.{name}]\ncommand = [\"a\"]\n{rest}\n");
    for (text, line, what, hint) in [
        (
            table("web", "after = [\"dbs\"]") + &table("db", ""),
            3,
            "no such service",
            Some("did you mean `db`?"),
        ),
        (table("web", "wants = [\"web\"]"), 3, "itself", None),
        (
            table("a", "after = [\"b\"]") + &table("b", "after = [\"a\"]"),
            1,
            "a -> b -> a",
            None,
        ),
        (table("a", "name = \"b\""), 3, "by its table", None),
        (table("a", "control = true"), 3, "above the tables", None),
        (
            table("a", "signals = { HUP = \"USR1\" }"),
            3,
            "above the tables",
            None,
        ),
        (
            "command = [\"a\"]\n[signals]\nTERM = \"ignore\"".to_owned(),
            2,
            "is a stop request",
            None,
        ),
        (
            "command = [\"a\"]\nafter = [\"b\"]".to_owned(),
            2,
            "[service.NAME]",
            None,
        ),
        (
            table("a", "aftr = []"),
            3,
            "aftr",
            Some("did you mean `after`?"),
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error:?}");
        assert!(error.what.contains(what), "{text}: {error:?}");
        assert_eq!(error.hint.as_deref(), hint, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        let _ = parse(&text);
    }
}
