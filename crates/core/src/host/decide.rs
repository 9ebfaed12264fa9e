//! The table: for each host, what counts as evidence of it. The first host in [`CANDIDATES`] with evidence is the host.

use super::{Capabilities, Evidence, Facts, Host, HostKind, NamedHost};

/// What one candidate makes of the facts: the host's name for this process where it is the host.
type Candidate = fn(&Facts, &mut Findings) -> Option<NamedHost>;

/// From the closest to the process to the furthest: a supervisor inside a container comes before the container.
const CANDIDATES: &[Candidate] = &[
    scm,
    systemd,
    runit,
    s6,
    openrc,
    supervisord,
    launchd,
    container,
    console,
    session,
];

/// Container platforms, by a variable that they set for all processes of the container, and one that names the task.
const PLATFORMS: &[(HostKind, &str, Option<&str>)] = &[
    (HostKind::Kubernetes, "KUBERNETES_SERVICE_HOST", None),
    (HostKind::Ecs, "ECS_CONTAINER_METADATA_URI_V4", None),
    (HostKind::CloudRun, "K_SERVICE", Some("K_SERVICE")),
    (HostKind::CloudRun, "CLOUD_RUN_JOB", Some("CLOUD_RUN_JOB")),
    (
        HostKind::Lambda,
        "AWS_LAMBDA_RUNTIME_API",
        Some("AWS_LAMBDA_FUNCTION_NAME"),
    ),
    (HostKind::Nomad, "NOMAD_ALLOC_ID", Some("NOMAD_TASK_NAME")),
];

/// Names of process 1 that adopt orphans of anybody: being their child says nothing about who started this process.
const SERVICE_MANAGERS: &[&str] = &[
    "systemd",
    "init",
    "launchd",
    "openrc-init",
    "runit",
    "s6-svscan",
];

/// Decides which host started this process and will stop it.
///
/// Every candidate is looked at, so that the evidence also says why the others are not the host.
///
/// ```
/// use winddown_core::host::{Facts, HostKind, decide};
/// let mut facts = Facts { pid: 70, ..Facts::default() };
/// facts.variables.insert("SYSTEMD_EXEC_PID".to_owned(), "70".to_owned());
/// assert_eq!(decide(&facts).kind, HostKind::Systemd);
/// facts.pid = 71;
/// assert_eq!(decide(&facts).kind, HostKind::Unknown);
/// ```
#[must_use]
pub fn decide(facts: &Facts) -> Host {
    let mut findings = Findings::default();
    let mut found: Vec<NamedHost> = CANDIDATES
        .iter()
        .filter_map(|candidate| candidate(facts, &mut findings))
        .collect();
    let host = if found.is_empty() {
        named(HostKind::Unknown, None)
    } else {
        found.remove(0)
    };
    let mut enclosing = found;
    enclosing.append(&mut findings.surrounding);
    enclosing.retain(|outer| outer.kind != host.kind);
    if let Some(socket) = notify_socket(facts) {
        let why = "somebody takes READY; that does not say who: many relays do";
        findings.note(HostKind::Systemd, "NOTIFY_SOCKET", socket, false, why);
    }
    Host {
        capabilities: capabilities(facts, host.kind),
        kind: host.kind,
        name: host.name,
        pid1: facts.pid == 1,
        in_container: findings.in_container,
        enclosing,
        evidence: findings.evidence,
    }
}

/// What the candidates found beside the host.
#[derive(Default)]
struct Findings {
    evidence: Vec<Evidence>,
    surrounding: Vec<NamedHost>,
    in_container: bool,
}

impl Findings {
    /// Notes one observation, and gives back whether it counts.
    fn note(&mut self, about: HostKind, what: &str, value: &str, counts: bool, why: &str) -> bool {
        self.evidence.push(Evidence {
            about,
            what: what.to_owned(),
            value: value.to_owned(),
            counts,
            why: why.to_owned(),
        });
        counts
    }
}

fn named(kind: HostKind, name: Option<&str>) -> NamedHost {
    NamedHost {
        kind,
        name: name.map(str::to_owned),
    }
}

fn scm(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    let windows = facts.windows.as_ref()?;
    let session = windows.session_id.to_string();
    findings.note(
        HostKind::Scm,
        "session",
        &session,
        false,
        "services live in session 0, and so do their children",
    );
    let parent = facts.parent.name.as_deref()?;
    let is_scm = parent.eq_ignore_ascii_case("services.exe");
    let (counts, why) = match (is_scm, windows.dispatcher_refused) {
        (true, false) => (true, "the SCM is the parent"),
        (true, true) => (false, "the SCM says that this is no service (error 1063)"),
        (false, _) => (false, "the parent is not the SCM"),
    };
    findings
        .note(HostKind::Scm, "parent", parent, counts, why)
        .then(|| named(HostKind::Scm, None))
}

fn systemd(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    let kind = HostKind::Systemd;
    let unit = facts.service_unit();
    let executed = facts.variable("SYSTEMD_EXEC_PID").map(|pid| {
        let counts = facts.names_this_process("SYSTEMD_EXEC_PID");
        let why = if counts {
            "systemd executed this very process"
        } else {
            "systemd executed another process, and this one inherited the variable"
        };
        findings.note(kind, "SYSTEMD_EXEC_PID", pid, counts, why)
    });
    let invoked = facts.variable("INVOCATION_ID").is_some_and(|id| {
        // systemd before 248 sets no SYSTEMD_EXEC_PID.
        let counts = executed.is_none() && facts.parent.name.as_deref() == Some("systemd");
        let why = if counts {
            "the parent is a systemd that sets no SYSTEMD_EXEC_PID"
        } else {
            "all descendants of a service inherit it"
        };
        findings.note(kind, "INVOCATION_ID", id, counts, why)
    });
    if let Some(stream) = facts.variable("JOURNAL_STREAM") {
        let why = match facts.stderr {
            Some(stderr) if stderr.is_journal_stream(stream) => {
                "standard error goes to the journal, which children share"
            }
            _ => "standard error is another file: inherited, and redirected since",
        };
        findings.note(kind, "JOURNAL_STREAM", stream, false, why);
    }
    let is_host = executed == Some(true) || invoked;
    if let Some(unit) = unit {
        let why = if is_host {
            "names the unit"
        } else {
            "all descendants of the service's process are in it"
        };
        findings.note(kind, "control group", unit, false, why);
        if !is_host {
            findings.surrounding.push(named(kind, Some(unit)));
        }
    }
    is_host.then(|| named(kind, unit))
}

/// Whether the parent is the supervisor of this name, whose only child in its tree this process then is.
fn parent_is(facts: &Facts, findings: &mut Findings, kind: HostKind, supervisor: &str) -> bool {
    facts.parent.name.as_deref() == Some(supervisor)
        && findings.note(
            kind,
            "parent",
            supervisor,
            true,
            "it starts the service and nothing else",
        )
}

fn runit(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    parent_is(facts, findings, HostKind::Runit, "runsv").then(|| named(HostKind::Runit, None))
}

fn s6(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    parent_is(facts, findings, HostKind::S6, "s6-supervise").then(|| named(HostKind::S6, None))
}

fn openrc(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    let kind = HostKind::OpenRc;
    let group = facts.cgroup.as_deref().and_then(|path| {
        path.rsplit('/')
            .find_map(|part| part.strip_prefix("openrc."))
    });
    let service = facts.variable("RC_SVCNAME").or(group);
    // `comm` holds 15 bytes of `supervise-daemon`.
    if parent_is(facts, findings, kind, "supervise-daemo") {
        return Some(named(kind, service));
    }
    let service = service?;
    let counts = facts.parent.pid == 1 && facts.session_leader;
    let why = if counts {
        "start-stop-daemon left this process, a session leader, to process 1"
    } else {
        "all descendants of a service inherit it"
    };
    findings
        .note(kind, "RC_SVCNAME or control group", service, counts, why)
        .then(|| named(kind, Some(service)))
}

fn supervisord(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    let enabled = facts.variable("SUPERVISOR_ENABLED")?;
    let parent = facts.parent.name.as_deref().unwrap_or_default();
    let counts = parent == "supervisord" || parent.starts_with("python");
    let why = if counts {
        "the parent is supervisord"
    } else {
        "all descendants of a program inherit it, and the parent is not supervisord"
    };
    findings
        .note(
            HostKind::Supervisord,
            "SUPERVISOR_ENABLED",
            enabled,
            counts,
            why,
        )
        .then(|| {
            named(
                HostKind::Supervisord,
                facts.variable("SUPERVISOR_PROCESS_NAME"),
            )
        })
}

fn launchd(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    let label = facts.variable("XPC_SERVICE_NAME")?;
    let (counts, why) = match (facts.parent.pid, label) {
        (_, "0") => (false, "a terminal's shell has this value"),
        (_, label) if label.starts_with("application.") => (false, "an application, not a job"),
        (1, _) => (true, "launchd is the parent"),
        _ => (false, "inherited: launchd is not the parent"),
    };
    findings
        .note(HostKind::Launchd, "XPC_SERVICE_NAME", label, counts, why)
        .then(|| named(HostKind::Launchd, Some(label)))
}

fn container(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    let runtime = container_runtime(facts, findings);
    let platform = PLATFORMS
        .iter()
        .find(|(_, variable, _)| facts.variable(variable).is_some());
    findings.in_container = runtime.is_some() || facts.pid == 1;

    let (is_first, what, why) = first_process(facts, findings.in_container || platform.is_some());
    let kind = platform.map_or(HostKind::Container, |(kind, ..)| *kind);
    let here = NamedHost {
        kind,
        name: match platform {
            Some((_, _, name)) => name
                .and_then(|name| facts.variable(name))
                .map(str::to_owned),
            None => runtime,
        },
    };
    if let Some((kind, variable, _)) = platform {
        let value = facts.variable(variable).unwrap_or_default();
        let why = if is_first {
            "set for the container that this process is the first of"
        } else {
            "set for all processes of the container, or inherited by hand"
        };
        findings.note(*kind, variable, value, is_first, why);
        findings.in_container |= is_first;
    }
    if is_first {
        findings.note(kind, what, &facts.pid.to_string(), true, why);
        return Some(here);
    }
    // raw_exec tasks run in no container.
    if kind == HostKind::Nomad && facts.parent.name.as_deref() == Some("nomad") {
        findings.note(kind, "parent", "nomad", true, "its executor is the parent");
        return Some(here);
    }
    if findings.in_container {
        findings.surrounding.push(here);
    }
    None
}

/// The runtime of the container that this process is in, if it is in one that shows.
fn container_runtime(facts: &Facts, findings: &mut Findings) -> Option<String> {
    let kind = HostKind::Container;
    let mut runtime = None;
    for (file, name) in [
        ("/.dockerenv", "docker"),
        ("/run/.containerenv", "podman"),
        (
            "/var/run/secrets/kubernetes.io/serviceaccount",
            "kubernetes",
        ),
    ] {
        if facts.files.contains(file) {
            findings.note(kind, file, "present", true, "the runtime puts it there");
            runtime = runtime.or(Some(name.to_owned()));
        }
    }
    if let Some(name) = facts.variable("container") {
        let why = "the runtime sets it for all processes of the container";
        findings.note(kind, "container", name, true, why);
        runtime = runtime.or(Some(name.to_owned()));
    }
    runtime
}

/// Whether this process is the one that the container's stop signal reaches, or that its init passes it to; by which
/// observation, and why.
fn first_process(facts: &Facts, in_container: bool) -> (bool, &'static str, &'static str) {
    let init = facts.init.as_deref().unwrap_or_default();
    if facts.pid == 1 {
        (true, "pid", "the runtime signals process 1, which is this")
    } else if in_container && facts.parent.pid == 1 && !SERVICE_MANAGERS.contains(&init) {
        let why = "the runtime signals process 1, the parent, which has to pass it on";
        (true, "child of process 1", why)
    } else if in_container && facts.parent.pid == 0 && init == "pause" {
        let why = "first of its container in a pod that shares its pid namespace";
        (true, "child from outside of the pod", why)
    } else {
        (false, "pid", "another process is the container's first")
    }
}

fn console(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    let attached = facts
        .windows
        .as_ref()
        .is_some_and(|windows| windows.console);
    let what = if attached {
        "console"
    } else if facts.terminal {
        "controlling terminal"
    } else {
        return None;
    };
    let why = "its keys, and its end, reach this process";
    findings.note(HostKind::Console, what, "attached", true, why);
    Some(named(HostKind::Console, None))
}

fn session(facts: &Facts, findings: &mut Findings) -> Option<NamedHost> {
    let kind = HostKind::Session;
    let application = facts
        .variable("XPC_SERVICE_NAME")
        .filter(|label| label.starts_with("application."));
    let display = ["WAYLAND_DISPLAY", "DISPLAY"]
        .into_iter()
        .find_map(|name| Some((name, facts.variable(name)?)));
    let (what, value) = if facts
        .windows
        .as_ref()
        .is_some_and(|windows| windows.interactive)
    {
        ("window station", "WinSta0")
    } else if let Some(label) = application {
        ("XPC_SERVICE_NAME", label)
    } else {
        display?
    };
    let why = "a display, and nothing closer to the process";
    findings.note(kind, what, value, true, why);
    Some(named(kind, None))
}

/// Empty is as unset (WD-59).
fn notify_socket(facts: &Facts) -> Option<&str> {
    facts
        .variable("NOTIFY_SOCKET")
        .filter(|socket| !socket.is_empty())
}

fn capabilities(facts: &Facts, kind: HostKind) -> Capabilities {
    use HostKind::{Console, Container, Nomad, OpenRc, Runit, S6, Scm, Supervisord, Systemd};
    let socket = notify_socket(facts).is_some();
    let watchdog_is_ours =
        facts.variable("WATCHDOG_PID").is_none() || facts.names_this_process("WATCHDOG_PID");
    Capabilities {
        ready: socket || kind == Scm,
        // Relays of container runtimes take READY and drop EXTEND_TIMEOUT_USEC.
        extend: kind == Scm || (socket && kind == Systemd),
        reload: matches!(
            kind,
            Scm | Systemd | OpenRc | Runit | S6 | Supervisord | Container | Nomad | Console
        ),
        watchdog: socket && watchdog_is_ours && facts.is_positive("WATCHDOG_USEC"),
        listen: facts.names_this_process("LISTEN_PID") && facts.is_positive("LISTEN_FDS"),
        fdstore: socket && facts.is_positive("FDSTORE"),
    }
}
