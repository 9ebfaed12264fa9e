//! Process settings, each seen from inside of the child; and what an ordinary user is told who may not have them.
#![cfg(target_os = "linux")]

mod linux_support;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use linux_support::{fork, mask_in};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource as Native, Rlimit, setrlimit};
use winddown_sys::process::{
    Account, Child, EnvChange, Exit, Resource, Settings, SpawnOptions, Stream, spawn,
};
use winddown_sys::{Error, wait_any};

const LIMIT: Duration = Duration::from_secs(10);
const NOBODY: u32 = 65534;
const NET_BIND_SERVICE: u64 = 1 << 10;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs `body` in a process of its own as this user, and again as one without rights.
fn as_this_user_and_nobody(body: fn()) {
    fork(|_| body()).finish();
    if is_root() {
        as_nobody(body);
    }
}

fn as_nobody(body: impl FnOnce()) {
    let become_nobody = is_root();
    fork(|_| {
        if become_nobody {
            // SAFETY: takes numbers and no list.
            unsafe {
                libc::setgroups(0, std::ptr::null());
                libc::setgid(NOBODY);
                assert_eq!(libc::setuid(NOBODY), 0);
                // Else `/proc/self` stays root's.
                libc::prctl(libc::PR_SET_DUMPABLE, 1);
            }
        }
        body();
    })
    .finish();
}

/// For what only root may do. Its tests show nothing to others.
fn as_root(body: impl FnOnce()) {
    if is_root() {
        fork(|_| body()).finish();
    }
}

fn sh(script: &str, settings: Settings) -> SpawnOptions {
    let mut options = SpawnOptions::new("sh", ["-c", script]);
    options.settings = settings;
    options.directory = Some("/".into());
    options
}

fn exit(child: &Child) -> Exit {
    if wait_any(&[child], Some(LIMIT)) != [true] {
        child.kill().unwrap();
        panic!("{} did not end within {LIMIT:?}", child.pid());
    }
    child.try_wait().unwrap().unwrap()
}

#[track_caller]
fn output_of(mut options: SpawnOptions) -> String {
    options.stdout = Stream::Pipe;
    let mut child = spawn(&options).unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let exit = exit(&child);
    let mut output = String::new();
    stdout.read_to_string(&mut output).unwrap();
    assert_eq!(exit, Exit::Code(0), "it said {output}");
    output
}

#[track_caller]
fn refusal(options: &SpawnOptions) -> (String, &'static str) {
    let error = match spawn(options) {
        Err(error) => error,
        Ok(child) => {
            child.kill().unwrap();
            exit(&child);
            panic!("it was not refused");
        }
    };
    (error.to_string(), error.remedy().unwrap_or_default())
}

fn account(user: &str) -> Settings {
    Settings {
        account: Some(Box::new(Account::find(Some(user), None, &[]).unwrap())),
        ..Settings::default()
    }
}

fn limits(resource: Resource, limit: &str) -> Settings {
    Settings {
        limits: [(resource, limit.parse().unwrap())].into(),
        ..Settings::default()
    }
}

fn own(file: &str) -> String {
    let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    text.trim().to_owned()
}

#[test]
fn wd_130_settings_that_take_no_rights_are_seen_from_inside() {
    as_this_user_and_nobody(|| {
        let score = (own("oom_score_adj").parse::<i32>().unwrap() + 7).min(1000);
        let nice = rustix::process::getpriority_process(None).unwrap() + 3;
        let allowed = rustix::thread::sched_getaffinity(None).unwrap();
        let processor = (0..1024).rfind(|at| allowed.is_set(*at)).unwrap();
        let settings = Settings {
            umask: Some(0o027),
            nice: Some(nice),
            affinity: vec![processor],
            limits: [
                (Resource::Nofile, "64:128".parse().unwrap()),
                (Resource::Core, "0".parse().unwrap()),
            ]
            .into(),
            oom_score_adjust: Some(score),
            no_new_privileges: true,
            ..Settings::default()
        };
        let script = "umask; nice; cat /proc/self/oom_score_adj; \
                      grep -E '^(NoNewPrivs|Cpus_allowed_list):' /proc/self/status; \
                      grep -E '^Max (open files|core file size)' /proc/self/limits";
        let output = output_of(sh(script, settings));
        let seen: Vec<Vec<&str>> = output
            .lines()
            .map(|line| line.split_ascii_whitespace().collect())
            .collect();
        let (nice, score, processor) = (nice.to_string(), score.to_string(), processor.to_string());
        assert_eq!(
            seen,
            [
                vec!["0027"],
                vec![&nice],
                vec![&score],
                vec!["NoNewPrivs:", "1"],
                vec!["Cpus_allowed_list:", &processor],
                vec!["Max", "core", "file", "size", "0", "0", "bytes"],
                vec!["Max", "open", "files", "64", "128", "files"],
            ]
        );
    });
}

#[test]
fn what_is_not_set_is_inherited() {
    as_this_user_and_nobody(|| {
        let script = "grep -E '^(Uid|Gid|Groups|Cap|NoNew|Cpus_allowed)' /proc/self/status; cat /proc/self/limits";
        let inherited = |text: &str| -> Vec<String> {
            let wanted = [
                "Uid",
                "Gid",
                "Groups",
                "Cap",
                "NoNew",
                "Cpus_allowed",
                "Limit",
                "Max",
            ];
            let lines = text
                .lines()
                .filter(|line| wanted.iter().any(|start| line.starts_with(start)));
            lines.map(|line| line.trim_end().to_owned()).collect()
        };
        let own = own("status") + "\n" + &own("limits");
        let output = output_of(sh(script, Settings::default()));
        assert_eq!(inherited(&output), inherited(&own));
    });
}

#[test]
fn wd_132_a_user_comes_with_groups_and_variables() {
    as_root(|| {
        let script = "id -u; id -g; id -G; echo $HOME $USER $LOGNAME $SHELL; id -G nobody";
        let output = output_of(sh(script, account("nobody")));
        let lines: Vec<&str> = output.lines().collect();
        let [uid, gid, groups, variables, entry] = lines[..] else {
            panic!("{output}");
        };
        assert_eq!((uid, gid), ("65534", "65534"));
        assert_eq!(groups, entry, "as initgroups(3) has it");
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|line| line.starts_with("nobody:"));
        let fields: Vec<&str> = line.unwrap().split(':').collect();
        assert_eq!(
            variables,
            format!("{} nobody nobody {}", fields[5], fields[6])
        );

        let mut options = sh("echo $HOME $USER", account("65534"));
        options.env = vec![
            ("HOME".into(), EnvChange::Set("/own".into())),
            ("USER".into(), EnvChange::Remove),
        ];
        assert_eq!(output_of(options), "/own\n", "the caller's changes win");
    });
}

#[test]
fn groups_are_by_name_or_number() {
    as_root(|| {
        let groups = ["4242".to_owned(), "daemon".to_owned()];
        let ids = |user, group| {
            let account = Account::find(user, group, &groups).unwrap();
            let settings = Settings {
                account: Some(Box::new(account)),
                ..Settings::default()
            };
            output_of(sh("id -u; id -g; id -G", settings))
        };
        // id(1) prints the group itself first.
        assert_eq!(ids(Some("nobody"), Some("7")), "65534\n7\n7 1 4242\n");
        assert_eq!(ids(None, Some("7")), "0\n7\n7 1 4242\n");
        assert_eq!(ids(None, None), "0\n0\n0 1 4242\n");
        assert_eq!(ids(Some("4000000"), Some("7")), "4000000\n7\n7 1 4242\n");

        let numbered = Account::find(Some("4000000"), Some("7"), &[]).unwrap();
        let settings = Settings {
            account: Some(Box::new(numbered)),
            ..Settings::default()
        };
        assert_eq!(output_of(sh("echo $HOME-$USER", settings)), "/-\n");
    });
}

#[test]
fn an_account_that_is_not_there_is_named() {
    as_nobody(|| {
        for (user, group, groups, text) in [
            (
                Some("no-such-user"),
                None,
                None,
                "there is no user no-such-user",
            ),
            (Some("a\0b"), None, None, "there is no user a\0b"),
            (
                None,
                Some("no-such-group"),
                None,
                "there is no group no-such-group",
            ),
            (None, None, Some("nor-this"), "there is no group nor-this"),
            (
                Some("4000000"),
                None,
                None,
                "there is no user with the number 4000000",
            ),
            // The system takes it for "unchanged".
            (
                Some("4294967295"),
                None,
                None,
                "there is no user 4294967295",
            ),
        ] {
            let groups: Vec<String> = groups
                .iter()
                .map(|group: &&str| (*group).to_owned())
                .collect();
            let error = Account::find(user, group, &groups).unwrap_err();
            assert!(matches!(error, Error::NoSuchAccount { .. }), "{error:?}");
            assert_eq!(error.to_string(), text);
        }
    });
}

/// `PR_SET_PDEATHSIG` is undone by a change of the user: it has to come after.
#[test]
fn wd_131_another_users_child_dies_with_its_parent() {
    as_root(|| {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        fork(|_| {
            let mut options = sh("exec sleep 60", account("nobody"));
            options.die_with_parent = true;
            options.stdout = Stream::File(File::from(writer.try_clone().unwrap()));
            spawn(&options).unwrap();
        })
        .finish();
        drop(writer);
        let mut fds = [PollFd::new(&reader, PollFlags::IN)];
        let timeout = Timespec::try_from(LIMIT).unwrap();
        assert_eq!(poll(&mut fds, Some(&timeout)), Ok(1), "it lives on");
    });
}

#[test]
fn only_the_kept_capabilities_are_there() {
    as_root(|| {
        let sets = |settings: Settings| {
            let status = output_of(sh("cat /proc/self/status", settings));
            ["CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"].map(|set| mask_in(&status, set))
        };
        let keep = vec!["net_bind_service".parse().unwrap()];
        for nobody in [true, false] {
            let base = if nobody {
                account("nobody")
            } else {
                Settings::default()
            };
            let kept = Settings {
                capabilities: Some(keep.clone()),
                no_new_privileges: true,
                ..base.clone()
            };
            assert_eq!(sets(kept), [NET_BIND_SERVICE; 5], "nobody: {nobody}");
            let none = Settings {
                capabilities: Some(Vec::new()),
                ..base
            };
            assert_eq!(sets(none), [0; 5], "nobody: {nobody}");
        }
    });
}

/// Each needs what a later one takes away.
#[test]
fn wd_131_privileged_settings_go_with_another_user() {
    as_root(|| {
        let settings = Settings {
            nice: Some(-7),
            umask: Some(0o077),
            limits: [
                (Resource::Nofile, "5:8".parse().unwrap()),
                // Many more than other tests have as this user.
                (Resource::Nproc, "5000".parse().unwrap()),
            ]
            .into(),
            oom_score_adjust: Some(900),
            capabilities: Some(Vec::new()),
            no_new_privileges: true,
            ..account("nobody")
        };
        let mut options = sh(
            "ulimit -n 8; nice; id -u; umask; cat /proc/self/oom_score_adj",
            settings,
        );
        options.die_with_parent = true;
        assert_eq!(output_of(options), "-7\n65534\n0077\n900\n");
    });
}

#[test]
fn wd_131_a_directory_is_entered_as_the_new_user() {
    as_root(|| {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut options = sh("true", account("nobody"));
        options.directory = Some(directory.path().into());
        let (text, _) = refusal(&options);
        assert!(
            text.starts_with("cannot start sh in ") && text.contains("denied"),
            "{text}"
        );
    });
}

#[test]
fn wd_130_what_an_ordinary_user_may_not_is_refused_with_the_way_out() {
    as_nobody(|| {
        let none = Some(0);
        let bounds = Rlimit {
            current: none,
            maximum: none,
        };
        setrlimit(Native::Core, bounds).unwrap();
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings
        };
        for (settings, what, remedy) in [
            (
                limits(Resource::Core, "0:1000000"),
                "cannot set RLIMIT_CORE to 0:1000000: ",
                "hard limit",
            ),
            (
                with(|s| s.nice = Some(-20)),
                "cannot set the niceness to -20: ",
                "CAP_SYS_NICE",
            ),
            (
                with(|s| s.oom_score_adjust = Some(-1000)),
                "cannot set the OOM score adjustment to -1000: ",
                "CAP_SYS_RESOURCE",
            ),
            (
                with(|s| s.affinity = vec![1023]),
                "cannot bind to the processors 1023: ",
                "that this machine has",
            ),
            (
                with(|s| s.affinity = vec![0, 1024]),
                "cannot bind to processor 1024: ",
                "1023",
            ),
            (
                with(|s| s.capabilities = Some(Vec::new())),
                "cannot drop capabilities: ",
                "no-new-privileges",
            ),
            (
                with(|s| s.capabilities = Some(vec!["chown".parse().unwrap()])),
                "cannot keep CAP_CHOWN: ",
                "itself",
            ),
            (account("root"), "cannot join the groups 0", "as that user"),
        ] {
            let (text, known) = refusal(&sh("true", settings));
            assert!(text.starts_with(what), "{text}");
            assert!(known.contains(remedy), "{text}: {known}");
        }
    });
}

/// The same definition runs under a manager that has changed the user already.
#[test]
fn the_own_user_takes_no_rights() {
    as_nobody(|| {
        let own = rustix::process::getuid().to_string();
        assert_eq!(output_of(sh("id -u", account(&own))), format!("{own}\n"));
    });
}

#[test]
fn too_many_processes_of_a_user_are_named_as_the_cause() {
    as_root(|| {
        let settings = Settings {
            limits: [(Resource::Nproc, "0".parse().unwrap())].into(),
            ..account("nobody")
        };
        let other = spawn(&sh("exec sleep 60", account("nobody"))).unwrap();
        let (text, remedy) = refusal(&sh("true", settings));
        other.kill().unwrap();
        exit(&other);
        assert!(text.starts_with("cannot run sh: "), "{text}");
        assert!(remedy.contains("RLIMIT_NPROC"), "{remedy}");
    });
}
