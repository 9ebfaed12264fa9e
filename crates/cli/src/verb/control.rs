//! What the verbs share that ask a winddown that supervises.

use std::io::{IsTerminal, Write, stderr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use winddown_core::exit;
use winddown_run::control::{self, Answer, Client, ControlError, Request};

use crate::args::{ControlArgs, Output};
use crate::output::Problem;

/// How long something may take before a person at a terminal is told what happens.
const SILENCE: Duration = Duration::from_secs(1);

/// Asks, shows on a terminal what happens on the way, and gives the last answer.
pub(crate) fn ask(
    args: &ControlArgs,
    request: &Request,
    output: Output,
) -> Result<Answer, Problem> {
    let mut client = connect(args)?;
    client.ask(request)?;
    let mut progress = Progress {
        begun: Instant::now(),
        shown: output == Output::Text && stderr().is_terminal(),
        waiting: String::new(),
    };
    loop {
        match client.answer(progress.patience())? {
            None => progress.show(),
            Some(Answer::Progress { service, what }) => {
                progress.waiting += &format!("{service}: {what}\n");
            }
            Some(last) => return granted(last),
        }
    }
}

pub(crate) fn connect(args: &ControlArgs) -> Result<Client, Problem> {
    Ok(Client::connect(&find(args)?)?)
}

/// The answer, where it is not an error.
pub(crate) fn granted(answer: Answer) -> Result<Answer, Problem> {
    match answer {
        Answer::Error { error, what, hint } => {
            let problem = Problem::new(error.exit_code(), what);
            Err(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            })
        }
        other => Ok(other),
    }
}

/// Where the winddown listens that is meant.
fn find(args: &ControlArgs) -> Result<PathBuf, Problem> {
    if let Some(path) = &args.control {
        return Ok(path.clone());
    }
    if let Some(name) = &args.definition {
        return control::address(name).ok_or_else(|| {
            Problem::new(exit::USAGE, "there is no usual place for control sockets")
                .hint("set XDG_RUNTIME_DIR, or give --control")
        });
    }
    let mut running = control::running();
    match running.len() {
        1 => Ok(running.remove(0).1),
        0 => Err(Problem::new(
            exit::NOT_RUNNING,
            "no winddown with a control socket runs as this user",
        )
        .hint("`winddown run` has one for [service.NAME] tables, or with --control PATH")),
        _ => {
            let names: Vec<_> = running.iter().map(|(name, _)| name.as_str()).collect();
            let what = format!("several winddowns run: {}", names.join(", "));
            Err(Problem::new(exit::USAGE, what).hint("choose one by --definition NAME"))
        }
    }
}

/// What happens on the way, for a person.
struct Progress {
    begun: Instant,
    shown: bool,
    waiting: String,
}

impl Progress {
    /// How long the next answer is waited for before [`Progress::show`].
    fn patience(&self) -> Option<Duration> {
        let silent = || SILENCE.saturating_sub(self.begun.elapsed());
        (self.shown && !self.waiting.is_empty()).then(silent)
    }

    fn show(&mut self) {
        // It may be closed.
        let _ = stderr().write_all(self.waiting.as_bytes());
        self.waiting.clear();
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let problem = Self::new(error.exit_code(), error.to_string());
        match error {
            ControlError::NotPermitted(_) => {
                problem.hint("only root and the user whom it runs as may")
            }
            _ => problem,
        }
    }
}
