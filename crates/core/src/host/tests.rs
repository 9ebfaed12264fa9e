use super::*;

/// Facts of an ordinary process: pid 70, child of a shell.
fn facts() -> Facts {
    Facts {
        pid: 70,
        parent: process(60, "bash"),
        init: Some("systemd".to_owned()),
        ..Facts::default()
    }
}

fn process(pid: u32, name: &str) -> Process {
    Process {
        pid,
        name: Some(name.to_owned()),
    }
}

impl Facts {
    fn with(mut self, variables: &[(&str, &str)]) -> Self {
        for (name, value) in variables {
            assert!(VARIABLES.contains(name), "{name} would never be collected");
            self.variables.insert((*name).into(), (*value).into());
        }
        self
    }

    fn child_of(mut self, pid: u32, name: &str) -> Self {
        self.parent = process(pid, name);
        self
    }

    fn in_cgroup(mut self, path: &str) -> Self {
        self.cgroup = Some(path.to_owned());
        self
    }

    fn first_of_container(self, file: &str) -> Self {
        assert!(MARKER_FILES.contains(&file));
        Self {
            pid: 1,
            parent: Process::default(),
            init: Some("orders".to_owned()),
            files: [file.to_owned()].into(),
            ..self
        }
    }

    fn on_windows(self, windows: WindowsFacts) -> Self {
        Self {
            init: None,
            windows: Some(windows),
            ..self
        }
    }
}

#[track_caller]
fn assert_host(facts: &Facts, kind: HostKind, name: Option<&str>) -> Host {
    let host = decide(facts);
    assert_eq!((host.kind, host.name.as_deref()), (kind, name), "{host:#?}");
    let supported = host.evidence.iter().any(|e| e.about == kind && e.counts);
    assert!(kind == HostKind::Unknown || supported, "{host:#?}");
    host
}

#[test]
fn every_kind_has_facts_that_make_it_the_host() {
    use HostKind as Kind;
    let pod = "/var/run/secrets/kubernetes.io/serviceaccount";
    let service = WindowsFacts::default();
    let desktop = WindowsFacts {
        session_id: 1,
        interactive: true,
        ..WindowsFacts::default()
    };
    let terminal = WindowsFacts {
        console: true,
        ..desktop.clone()
    };
    for (facts, kind, name) in [
        (
            facts().child_of(4, "Services.exe").on_windows(service),
            Kind::Scm,
            None,
        ),
        (
            facts()
                .with(&[("SYSTEMD_EXEC_PID", "70")])
                .in_cgroup("/system.slice/orders.service"),
            Kind::Systemd,
            Some("orders.service"),
        ),
        (
            facts()
                .child_of(1, "launchd")
                .with(&[("XPC_SERVICE_NAME", "org.example.orders")]),
            Kind::Launchd,
            Some("org.example.orders"),
        ),
        (
            facts()
                .child_of(50, "supervise-daemo")
                .in_cgroup("/openrc.orders"),
            Kind::OpenRc,
            Some("orders"),
        ),
        (facts().child_of(50, "runsv"), Kind::Runit, None),
        (facts().child_of(50, "s6-supervise"), Kind::S6, None),
        (
            facts().child_of(50, "supervisord").with(&[
                ("SUPERVISOR_ENABLED", "1"),
                ("SUPERVISOR_PROCESS_NAME", "orders"),
            ]),
            Kind::Supervisord,
            Some("orders"),
        ),
        (
            facts()
                .first_of_container(pod)
                .with(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]),
            Kind::Kubernetes,
            None,
        ),
        (
            facts()
                .first_of_container("/.dockerenv")
                .with(&[("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4")]),
            Kind::Ecs,
            None,
        ),
        (
            facts()
                .first_of_container("/.dockerenv")
                .with(&[("K_SERVICE", "orders")]),
            Kind::CloudRun,
            Some("orders"),
        ),
        (
            facts()
                .first_of_container("/.dockerenv")
                .with(&[("CLOUD_RUN_JOB", "import")]),
            Kind::CloudRun,
            Some("import"),
        ),
        (
            facts().first_of_container("/.dockerenv").with(&[
                ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
                ("AWS_LAMBDA_FUNCTION_NAME", "orders"),
            ]),
            Kind::Lambda,
            Some("orders"),
        ),
        (
            facts()
                .child_of(50, "nomad")
                .with(&[("NOMAD_ALLOC_ID", "5e"), ("NOMAD_TASK_NAME", "orders")]),
            Kind::Nomad,
            Some("orders"),
        ),
        (
            facts().first_of_container("/.dockerenv"),
            Kind::Container,
            Some("docker"),
        ),
        (
            Facts {
                terminal: true,
                ..facts()
            },
            Kind::Console,
            None,
        ),
        (
            facts().child_of(4, "cmd.exe").on_windows(terminal),
            Kind::Console,
            None,
        ),
        (facts().with(&[("DISPLAY", ":0")]), Kind::Session, None),
        (
            facts().child_of(4, "explorer.exe").on_windows(desktop),
            Kind::Session,
            None,
        ),
        (facts(), Kind::Unknown, None),
        (Facts::default(), Kind::Unknown, None),
    ] {
        assert_host(&facts, kind, name);
    }
}

/// Shells opened from a service, and all they start, carry its variables.
#[test]
fn what_a_child_inherits_makes_no_host_of_it() {
    for (inherited, kind) in [
        (
            facts()
                .with(&[
                    ("SYSTEMD_EXEC_PID", "60"),
                    ("INVOCATION_ID", "c0ffee"),
                    ("NOTIFY_SOCKET", "/run/systemd/notify"),
                    ("JOURNAL_STREAM", "9:1234"),
                ])
                .in_cgroup("/system.slice/orders.service"),
            HostKind::Systemd,
        ),
        (
            facts().with(&[("INVOCATION_ID", "c0ffee")]),
            HostKind::Systemd,
        ),
        (
            facts().with(&[("XPC_SERVICE_NAME", "org.example.orders")]),
            HostKind::Launchd,
        ),
        (
            facts()
                .child_of(1, "launchd")
                .with(&[("XPC_SERVICE_NAME", "0")]),
            HostKind::Launchd,
        ),
        (facts().with(&[("RC_SVCNAME", "orders")]), HostKind::OpenRc),
        (
            facts().with(&[("SUPERVISOR_ENABLED", "1")]),
            HostKind::Supervisord,
        ),
        (
            facts().with(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]),
            HostKind::Kubernetes,
        ),
        (facts().with(&[("NOMAD_ALLOC_ID", "5e")]), HostKind::Nomad),
        (
            facts()
                .child_of(4, "cmd.exe")
                .on_windows(WindowsFacts::default()),
            HostKind::Scm,
        ),
    ] {
        let host = assert_host(&inherited, HostKind::Unknown, None);
        let against = host
            .evidence
            .iter()
            .filter(|e| e.about == kind && !e.counts);
        assert!(against.count() > 0, "{kind} leaves no trace: {host:#?}");
        assert!(!host.in_container, "{host:#?}");
    }
}

#[test]
fn a_child_of_a_systemd_service_is_told_which() {
    let host = decide(
        &facts()
            .with(&[("SYSTEMD_EXEC_PID", "60")])
            .in_cgroup("/system.slice/orders.service/payload"),
    );
    let around = NamedHost {
        kind: HostKind::Systemd,
        name: Some("orders.service".to_owned()),
    };
    assert_eq!(host.enclosing, [around]);
}

#[test]
fn a_terminal_within_a_user_manager_is_in_no_service() {
    let path = "/user.slice/user-1000.slice/user@1000.service/app.slice/terminal.scope";
    let facts = Facts {
        terminal: true,
        ..facts().in_cgroup(path)
    };
    assert_eq!(assert_host(&facts, HostKind::Console, None).enclosing, []);
}

#[test]
fn a_systemd_without_exec_pid_is_known_by_its_child() {
    let facts = facts()
        .child_of(1, "systemd")
        .with(&[("INVOCATION_ID", "c0ffee")]);
    assert_host(&facts, HostKind::Systemd, None);
}

/// The orphans of a service are children of systemd, too.
#[test]
fn an_orphan_of_a_service_is_not_the_service() {
    let facts = facts()
        .child_of(1, "systemd")
        .with(&[("SYSTEMD_EXEC_PID", "60"), ("INVOCATION_ID", "c0ffee")]);
    assert_host(&facts, HostKind::Unknown, None);
}

#[test]
fn process_1_is_a_containers_even_when_nothing_else_shows() {
    let facts = Facts {
        pid: 1,
        terminal: true,
        ..Facts::default()
    };
    let host = assert_host(&facts, HostKind::Container, None);
    assert!(host.pid1 && host.in_container);
    assert_eq!(host.enclosing[0].kind, HostKind::Console);
}

#[test]
fn behind_a_containers_init_the_container_is_the_host() {
    let container = |init: &str| {
        let mut facts = facts().child_of(1, init);
        facts.init = Some(init.to_owned());
        facts.with(&[("container", "podman")])
    };
    assert_host(&container("tini"), HostKind::Container, Some("podman"));
    // Orphans of anybody are children of a service manager.
    let host = assert_host(&container("systemd"), HostKind::Unknown, None);
    assert_eq!(host.enclosing[0].kind, HostKind::Container);
}

#[test]
fn a_pod_that_shares_its_pids_is_known_by_its_pause_process() {
    let mut facts = facts().with(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]);
    facts.parent = Process::default();
    facts.init = Some("pause".to_owned());
    facts
        .files
        .insert("/var/run/secrets/kubernetes.io/serviceaccount".to_owned());
    assert_host(&facts, HostKind::Kubernetes, None);
}

#[test]
fn a_shell_inside_a_container_is_a_console() {
    let mut facts = facts().with(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]);
    facts.terminal = true;
    facts.files.insert("/.dockerenv".to_owned());
    let host = assert_host(&facts, HostKind::Console, None);
    assert!(host.in_container);
    assert_eq!(host.enclosing[0].kind, HostKind::Kubernetes);
}

#[test]
fn a_supervisor_inside_a_container_is_closer_than_the_container() {
    let facts = facts()
        .child_of(7, "runsv")
        .with(&[("container", "docker")]);
    let host = assert_host(&facts, HostKind::Runit, None);
    assert_eq!(host.enclosing[0].kind, HostKind::Container);
}

#[test]
fn start_stop_daemon_leaves_a_session_leader_to_process_1() {
    let mut facts = facts()
        .child_of(1, "openrc-init")
        .with(&[("RC_SVCNAME", "orders")]);
    assert_host(&facts, HostKind::Unknown, None);
    facts.session_leader = true;
    assert_host(&facts, HostKind::OpenRc, Some("orders"));
}

#[test]
fn a_refusal_of_the_dispatcher_outweighs_the_parent() {
    let facts = facts()
        .child_of(4, "services.exe")
        .on_windows(WindowsFacts {
            dispatcher_refused: true,
            ..WindowsFacts::default()
        });
    assert_host(&facts, HostKind::Unknown, None);
}

#[test]
fn an_application_of_macos_is_in_a_session() {
    let facts = facts()
        .child_of(1, "launchd")
        .with(&[("XPC_SERVICE_NAME", "application.org.example.orders.1.2")]);
    assert_host(&facts, HostKind::Session, None);
}

/// Container runtimes and supervisors offer one too.
#[test]
fn a_notify_socket_is_a_capability() {
    let facts = facts().with(&[("NOTIFY_SOCKET", "/run/notify/notify.sock")]);
    let host = assert_host(&facts, HostKind::Unknown, None);
    assert!(host.capabilities.ready);
    assert!(!host.capabilities.extend, "relays drop it");
}

#[test]
fn wd_59_an_empty_notify_socket_is_none() {
    let facts = facts().with(&[("NOTIFY_SOCKET", "")]);
    let host = assert_host(&facts, HostKind::Unknown, None);
    assert!(!host.capabilities.ready);
    assert!(host.evidence.iter().all(|it| it.what != "NOTIFY_SOCKET"));
}

#[test]
fn capabilities_of_variables_are_those_of_the_process_named_in_them() {
    let set = |pid: &str| {
        decide(&facts().with(&[
            ("SYSTEMD_EXEC_PID", "70"),
            ("NOTIFY_SOCKET", "@notify"),
            ("WATCHDOG_USEC", "3000000"),
            ("WATCHDOG_PID", pid),
            ("LISTEN_FDS", "1"),
            ("LISTEN_PID", pid),
            ("FDSTORE", "4"),
        ]))
        .capabilities
    };
    let all = Capabilities {
        ready: true,
        extend: true,
        reload: true,
        watchdog: true,
        listen: true,
        fdstore: true,
    };
    assert_eq!(set("70"), all);
    let not_ours = Capabilities {
        watchdog: false,
        listen: false,
        ..all
    };
    assert_eq!(set("71"), not_ours);
}

#[test]
fn standard_error_is_the_journal_only_by_device_and_inode() {
    let stderr = FileId {
        device: 9,
        inode: 1234,
    };
    assert!(stderr.is_journal_stream("9:1234"));
    for other in ["9:1235", "8:1234", "9", "", "9:1234:1", "x:1234"] {
        assert!(!stderr.is_journal_stream(other), "{other}");
    }
}

#[test]
fn names_in_json_are_the_names_in_text() {
    for kind in [
        HostKind::OpenRc,
        HostKind::S6,
        HostKind::CloudRun,
        HostKind::Scm,
        HostKind::Unknown,
    ] {
        assert_eq!(
            serde_json::to_value(kind).unwrap(),
            serde_json::json!(kind.name())
        );
    }
}
