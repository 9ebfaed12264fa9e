//! What a program is started with: `user`, `limits` and the like, which stand beside its command.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use winddown_sys::process::Group;

use super::service::Service;
use crate::environment::EnvironmentFile;
use crate::process::{ProcessOptions, Stdin};

/// What its console or terminal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Console {
    /// A session of its own without a terminal; on Windows a console of its own, whose window is hidden.
    #[default]
    Own,
    /// As `own`, but on Windows no console: it can be asked to stop through its windows alone.
    None,
    /// Winddown's own, and its process group: what is typed there reaches both.
    Inherit,
}

/// How soon others go before it, in the words of Windows' priority classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Niceness 19.
    Idle,
    /// Niceness 10.
    BelowNormal,
    /// Niceness 0.
    Normal,
    /// Niceness -7.
    AboveNormal,
    /// Niceness -14.
    High,
    /// Niceness -20.
    Realtime,
}

impl Priority {
    /// The numbers of libuv's `uv_os_setpriority`, which go back and forth.
    const fn nice(self) -> i32 {
        match self {
            Self::Idle => 19,
            Self::BelowNormal => 10,
            Self::Normal => 0,
            Self::AboveNormal => -7,
            Self::High => -14,
            Self::Realtime => -20,
        }
    }
}

impl Service {
    /// What it is started with; relative paths begin at `directory`.
    pub(super) fn process(&mut self, directory: &Path) -> ProcessOptions {
        let file = |text: String| match text.strip_prefix('-') {
            Some(path) => (path.to_owned(), true),
            None => (text, false),
        };
        let file = |text| {
            let (path, optional) = file(text);
            EnvironmentFile {
                path: directory.join(path),
                optional,
            }
        };
        let mut options = ProcessOptions {
            user: self.user.take(),
            group: self.group.take(),
            groups: std::mem::take(&mut self.groups),
            console: match self.console {
                Console::Own => Group::Session,
                Console::None => Group::Detached,
                Console::Inherit => Group::Same,
            },
            stdin: match self.stdin.take().as_deref() {
                None | Some("null") => Stdin::Null,
                Some("inherit") => Stdin::Inherit,
                Some(path) => Stdin::File(directory.join(path)),
            },
            environment_files: std::mem::take(&mut self.environment_files)
                .into_iter()
                .map(file)
                .collect(),
            clear_environment: self.clear_environment,
            ..ProcessOptions::default()
        };
        let settings = &mut options.settings;
        settings.umask = self.umask.map(|umask| umask.0);
        let nice = self.nice.map(|nice| nice.0);
        settings.nice = nice.or(self.priority.map(Priority::nice));
        settings.affinity = self.affinity.take().map_or_else(Vec::new, |list| list.0);
        settings.limits = std::mem::take(&mut self.limits).0;
        settings.oom_score_adjust = self.oom_score_adjust.map(|score| score.0);
        settings.no_new_privileges = self.no_new_privileges;
        let kept = self.capabilities.take();
        settings.capabilities = kept.map(|kept| kept.into_iter().map(|name| name.0).collect());
        options
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ServiceOptions;
    use crate::definition::tests::parse;

    fn options(keys: &str) -> ServiceOptions {
        let text = format!("command = [\"a\"]\n{keys}");
        let definition = parse(&text).unwrap_or_else(|error| panic!("{error:?}"));
        let mut options = definition.into_options(Path::new("/srv"), Duration::from_secs(1));
        options.services.remove(0)
    }

    #[test]
    fn every_key_reaches_its_setting() {
        let options = options(
            r#"
            directory = "work"
            environment-files = ["orders.env", "-/etc/orders.env"]
            clear-environment = true
            user = "orders"
            group = "1000"
            groups = ["ssl-cert"]
            umask = "27"
            priority = "above-normal"
            affinity = "0-2, 8"
            limits = { nofile = "1024:4096", core = 0 }
            oom-score-adjust = -500
            stdin = "input"
            console = "none"
            no-new-privileges = true
            capabilities = ["CAP_NET_BIND_SERVICE", "sys-nice"]
            "#,
        );
        assert_eq!(options.directory, Some("/srv/work".into()));
        let process = options.process;
        let files = [("/srv/work/orders.env", false), ("/etc/orders.env", true)];
        let files = files.map(|(path, optional)| EnvironmentFile {
            path: path.into(),
            optional,
        });
        assert_eq!(process.environment_files, files);
        assert!(process.clear_environment);
        assert_eq!(
            (process.user.as_deref(), process.group.as_deref()),
            (Some("orders"), Some("1000"))
        );
        assert_eq!(process.groups, ["ssl-cert"]);
        assert_eq!(process.console, Group::Detached);
        assert_eq!(process.stdin, Stdin::File("/srv/work/input".into()));
        let settings = process.settings;
        assert_eq!((settings.umask, settings.nice), (Some(0o27), Some(-7)));
        assert_eq!(settings.affinity, [0, 1, 2, 8]);
        let limits: Vec<String> = settings
            .limits
            .iter()
            .map(|(of, limit)| format!("{of} {limit}"))
            .collect();
        assert_eq!(limits, ["RLIMIT_CORE 0", "RLIMIT_NOFILE 1024:4096"]);
        assert_eq!(settings.oom_score_adjust, Some(-500));
        assert!(settings.no_new_privileges);
        let kept: Vec<String> = settings
            .capabilities
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        assert_eq!(kept, ["CAP_NET_BIND_SERVICE", "CAP_SYS_NICE"]);
    }

    #[test]
    fn by_default_nothing_is_changed_but_standard_input_and_the_directory() {
        let options = options("");
        let expected = ProcessOptions {
            stdin: Stdin::Null,
            ..ProcessOptions::default()
        };
        assert_eq!(options.process, expected);
        assert_eq!(options.directory, Some("/srv".into()));
    }

    #[test]
    fn an_error_names_its_place() {
        for (keys, line, column, what) in [
            ("umask = \"028\"", 2, 9, "octal digits"),
            ("umask = \"1000\"", 2, 9, "octal digits"),
            ("umask = 18", 2, 9, "expected a text in quotes"),
            ("nice = 20", 2, 8, "from -20 to 19"),
            ("nice = 1\npriority = \"idle\"", 3, 1, "write one of them"),
            ("priority = \"low\"", 2, 12, "unknown variant `low`"),
            ("affinity = \"3-1\"", 2, 12, "no list of processors"),
            ("affinity = \"0-99999999\"", 2, 12, "no list of processors"),
            ("limits = { files = 1 }", 2, 10, "no limit `files`"),
            ("limits = { nofile = \"1k\" }", 2, 10, "`1k` is no limit"),
            ("limits = { nofile = \"2:1\" }", 2, 10, "above the hard one"),
            ("limits = { nofile = true }", 2, 21, "a limit is a number"),
            ("oom-score-adjust = 1001", 2, 20, "from -1000 to 1000"),
            ("console = \"hidden\"", 2, 11, "unknown variant `hidden`"),
            ("capabilities = [\"net\"]", 2, 16, "no capability `net`"),
            (
                "environment = { \"A=B\" = \"1\" }",
                2,
                15,
                "\"A=B\" cannot be",
            ),
            ("environment = { A = \"${B\" }", 2, 21, "is not closed"),
        ] {
            let text = format!("command = [\"a\"]\n{keys}");
            let error = parse(&text).unwrap_err();
            assert_eq!(
                (error.line, error.column),
                (line, column),
                "{keys}: {error:?}"
            );
            assert!(error.what.contains(what), "{keys}: {error:?}");
        }
        let text = "[service.a]\ncommand = ['a']\nnice = 1\npriority = 'idle'";
        let error = parse(text).unwrap_err();
        assert_eq!((error.line, error.column), (4, 1), "{error:?}");
    }
}
