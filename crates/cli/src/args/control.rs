//! The flags of the verbs that ask a winddown that supervises.

use std::path::PathBuf;

use clap::Args;

pub(crate) const STATUS_ABOUT: &str = "\
Show how the services of a running winddown stand: where each is between its starts and its ends, what it waits for, by what it is \
known to be ready, how often it was started again, and how its last run ended.

With the name of a service the exit code is 0 where its program runs, and 3 where it does not.

A winddown that runs a definition with [service.NAME] tables listens at a control socket, and any other with `control = true` or \
--control. Only root and the user whom it runs as can use it (on Windows also administrators). It is \
/run/winddown/NAME.sock for root, $XDG_RUNTIME_DIR/winddown/NAME.sock for other users, and \\\\.\\pipe\\winddown-NAME on Windows, \
where NAME is the definition's. Where there is one such socket it is found; where there are several, --definition chooses.";

pub(crate) const START_ABOUT: &str = "\
Start a service of a running winddown, and before it the services that it wants and requires.

It returns once the service is ready, or cannot be. A service that waits for its next start is started at once, and what was before \
does not count for its start limit. Ctrl+C ends the wait and nothing else.";

pub(crate) const STOP_ABOUT: &str = "\
Stop a service of a running winddown, and before it, in reverse order, those that require it, each within its own time.

They stay down until somebody starts them; winddown stays up. It returns once they are down. Ctrl+C ends the wait and nothing else. To \
stop all of it, stop winddown itself.";

pub(crate) const RESTART_ABOUT: &str = "\
Stop a service of a running winddown and those that require it, and start them again once all of them are down.

With --overlap the new program is started first, and the old one is stopped once the new one is ready: give it its sockets by \
[[listen]], and no connection is refused meanwhile. Those that require it are left alone. Where the new one does not become ready, the \
old one goes on. It is refused while the service is not ready itself, and where an answer on these sockets, which either program may give, \
is to tell that the new one is.

It returns once the service is ready, or cannot be. Ctrl+C ends the wait and nothing else.";

pub(crate) const RELOAD_ABOUT: &str = "\
Have a running winddown read its definition again, and apply what has changed with the least disturbance. A definition that is wrong \
changes nothing.";

pub(crate) const LOGS_ABOUT: &str = "\
Show the last lines that a service of a running winddown wrote, and with --follow those that it writes from now on, also after a restart. \
winddown keeps the last lines of a service in memory, up to 64 KiB, if its output goes to a file or the system's log, or is shown with \
--log-prefix.

Whoever reads slowly holds up nobody: lines are left out, and it is said how many.

With --output json each line is a JSON object of its own.";

pub(crate) const ROTATE_LOGS_ABOUT: &str = "\
Set aside the files that the output of a service goes to, and begin new ones; what [logs] says of old files holds for them.";

// Which winddown to ask.
#[derive(Clone, Debug, Args)]
pub(crate) struct ControlArgs {
    /// The control socket to use [default: the only one in the usual place]
    #[arg(
        long,
        value_name = "PATH",
        env = "WINDDOWN_CONTROL",
        hide_env_values = true
    )]
    pub(crate) control: Option<PathBuf>,

    /// The definition whose winddown is asked, by its name
    #[arg(long, value_name = "NAME", conflicts_with = "control")]
    pub(crate) definition: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only this service, in full
    #[arg(value_name = "SERVICE")]
    pub(crate) service: Option<String>,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OperationArgs {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub(crate) service: String,

    /// Return as soon as it has begun
    #[arg(long)]
    pub(crate) no_wait: bool,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    #[command(flatten)]
    pub(crate) operation: OperationArgs,

    /// Start the new program first, and stop the old one once the new one is ready
    #[arg(long)]
    pub(crate) overlap: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub(crate) service: String,

    /// Go on with what it writes from now on
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// How many lines of the past to show
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(crate) lines: usize,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RotateLogsArgs {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub(crate) service: String,

    #[command(flatten)]
    pub(crate) control: ControlArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReloadArgs {
    #[command(flatten)]
    pub(crate) control: ControlArgs,
}
