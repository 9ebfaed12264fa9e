//! `winddown run`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use winddown_core::exit;
use winddown_core::report::{StopReport, Verdict};
use winddown_core::restart::RestartPolicy;
use winddown_run::control::ControlOptions;
use winddown_run::environment::{EnvironmentFile, Template};
use winddown_run::history::History;
use winddown_run::logs::{ConsoleOptions, Destination, Files};
use winddown_run::{
    Moment, Observer, Outcome, ReadyWhen, Reread, RunOptions, ServiceOptions, SignalMap,
};
use winddown_sys::file;
use winddown_sys::guard::Guard;
use winddown_sys::record::{self, Level};

use crate::args::{Output, ProcessArgs, Ready, Restart, RunArgs};
use crate::live::LiveLine;
use crate::output::{PATIENCE, Problem, print_in_time, tell};
use crate::verb::{check, history, hold_late_requests, with_a_program};

/// Whom what is said of all services is said of; the program's name is in front of every line already.
const WHOLE: &str = "winddown";
/// How long a stop may take unless somebody says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn main(args: RunArgs, output: Output) -> Result<ExitCode, Problem> {
    let guard = Guard::start().map_err(winddown_run::Error::from)?;
    let (options, writer) = match prepare(args, output) {
        Ok(prepared) => prepared,
        Err(problem) => {
            guard.dismiss();
            let code = problem.report();
            winddown_run::decline(problem.code());
            return Ok(code);
        }
    };
    hold_late_requests();
    match winddown_run::run(guard, options, Box::new(writer)) {
        Ok(outcome) => Ok(end_as(&outcome)),
        // The writer was told.
        Err(error) => Ok(ExitCode::from(error.exit_code().code)),
    }
}

fn prepare(args: RunArgs, output: Output) -> Result<(RunOptions, ReportWriter), Problem> {
    let mut writer = ReportWriter {
        several: false,
        first: None,
        somebody_looks: stderr().is_terminal(),
        history: history::history(&args.state),
        warned: false,
        file: args.report.clone(),
        output,
        live: (!args.interactive).then(LiveLine::default),
    };
    let has_file = args.config.is_some();
    let mut options = options(args.clone(), output)?;
    if has_file {
        options.reread = Some(Reread::new(move || {
            self::options(args.clone(), output).map_err(|problem| problem.to_string())
        }));
    }
    if let Some(file) = &writer.file {
        can_be_written(file)
            .map_err(|error| Problem::new(exit::USAGE, cannot_write(file, &error)))?;
    }
    writer.several = options.services.len() > 1;
    Ok((options, writer))
}

/// Finds out before the program runs that its report could not be written, rather than when it is too late.
fn can_be_written(file: &Path) -> io::Result<()> {
    match fs::metadata(file) {
        Ok(there) if there.is_file() || there.is_dir() => {
            OpenOptions::new().append(true).open(file).map(drop)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            File::create_new(file)?;
            fs::remove_file(file)
        }
        // A pipe or a device is opened once there is something to write.
        other => other.map(drop),
    }
}

fn cannot_write(file: &Path, error: &io::Error) -> String {
    format!(
        "cannot write the stop report to {}: {error}",
        file.display()
    )
}

fn options(mut args: RunArgs, output: Output) -> Result<RunOptions, Problem> {
    let command = with_a_program(std::mem::take(&mut args.command))?;
    let mut options = match &args.config {
        Some(file) => {
            let definition = check::load(file)?;
            definition.into_options(&check::directory_of(file)?, DEFAULT_TIMEOUT)
        }
        None => RunOptions::single(ServiceOptions::new(command.clone(), DEFAULT_TIMEOUT)),
    };
    if let Some(name) = args.name.take() {
        for service in &mut options.services {
            // In a table [service.NAME] it has the table's.
            if service.name == options.name {
                service.name.clone_from(&name);
            }
        }
        options.name = name;
    }
    if args.config.is_none() && args.signal_map.iter().any(SignalMap::reloads) {
        let what = "a signal cannot mean `reload`: there is no definition to read again";
        return Err(Problem::new(exit::USAGE, what).hint("name one by --config"));
    }
    for said in std::mem::take(&mut args.signal_map) {
        options.signals.extend(said);
    }
    if let Some(path) = args.control.take() {
        options.control = Some(ControlOptions::At(path));
    }
    match options.services.as_mut_slice() {
        [only] => {
            if !command.is_empty() {
                only.command = command.into_iter().map(Template::literal).collect();
            }
            only.interactive = args.interactive;
            amend(only, &args);
        }
        _ if !command.is_empty() => {
            let what = "the definition has several services, and a program was given as well";
            return Err(Problem::new(exit::USAGE, what).hint("leave out the program"));
        }
        all => {
            for service in all {
                amend(service, &args);
            }
        }
    }
    if args.log_prefix {
        options.console = ConsoleOptions {
            prefix: true,
            colour: anstream::stdout().current_choice() != anstream::ColorChoice::Never
                && stdout().is_terminal(),
        };
    }
    for service in &mut options.services {
        service.output_to_stderr = output == Output::Json;
    }
    Ok(options)
}

/// Flags win over the definition.
fn amend(service: &mut ServiceOptions, args: &RunArgs) {
    let ProcessArgs {
        directory,
        env,
        env_file,
        user,
    } = &args.process;
    service.directory = directory.clone().or(service.directory.take());
    let set = |(name, value): &(String, String)| (name.clone(), Template::literal(value));
    service.environment.extend(env.iter().map(set));
    let files = env_file
        .iter()
        .map(|file| EnvironmentFile::from(file.as_path()));
    service.process.environment_files.extend(files);
    service.process.user = user.clone().or(service.process.user.take());
    if let Some(timeout) = args.stop.stop_timeout {
        service.policy.timeout = timeout;
    }
    if let Some(signal) = args.stop.stop_signal {
        service.policy.pass_on(signal);
        service.signal_chosen = true;
    }
    if let Some(file) = &args.log_file {
        let file = match &service.directory {
            Some(directory) => directory.join(file),
            None => file.clone(),
        };
        service.logs.to = Destination::Files(Box::new(Files::new(file)));
    }
    if let Some(restart) = args.restart {
        Arc::make_mut(&mut service.restart).policy = match restart {
            Restart::Always => RestartPolicy::Always,
            Restart::OnFailure => RestartPolicy::OnFailure,
            Restart::Never => RestartPolicy::Never,
        };
    }
    service.logs.forward |= args.log_prefix;
    if let Some(ready) = args.ready {
        service.ready = match ready {
            Ready::Spawned => ReadyWhen::Spawned,
            Ready::Notify => ReadyWhen::Notify,
            Ready::Auto => ReadyWhen::Auto,
        };
    }
}

/// Keeps the report, and writes it where it was asked for and on standard error. A plain and graceful stop needs no words there,
/// unless somebody sits at a terminal.
struct ReportWriter {
    history: Option<History>,
    /// One warning about the history is enough.
    warned: bool,
    file: Option<PathBuf>,
    output: Output,
    /// Whether there are several services, which must be told apart.
    several: bool,
    /// The first of them that was heard of; a reload may bring others.
    first: Option<String>,
    /// Where a person sees what is waited for; nowhere while the terminal is the program's.
    live: Option<LiveLine>,
    /// Whether standard error is a terminal.
    somebody_looks: bool,
}

impl Observer for ReportWriter {
    fn moment(&mut self, service: &str, moment: &Moment) {
        if service != WHOLE {
            let first = self.first.get_or_insert_with(|| service.to_owned());
            self.several |= first != service;
        }
        if moment.notable || (self.somebody_looks && self.output == Output::Text) {
            let whose = match self.several && service != WHOLE {
                true => format!("{service}: "),
                false => String::new(),
            };
            let what = format!("{whose}{}", moment.what);
            tell(service, Level::Warning, record::OTHER, &what);
        }
    }

    fn looks_on(&self) -> bool {
        self.live.is_some() && self.output == Output::Text && self.somebody_looks
    }

    fn waits(&mut self, for_what: Option<&str>) {
        match (&mut self.live, for_what) {
            (Some(live), Some(what)) => live.show(what),
            (Some(live), None) => live.clear(),
            (None, _) => {}
        }
    }

    fn failed(&mut self, error: &winddown_run::Error) {
        Problem::from(error).report();
    }

    fn report(&mut self, report: &StopReport) {
        if let Some(Err(error)) = self.history.as_mut().map(|history| history.add(report)) {
            if !self.warned {
                history::warn(&error);
            }
            self.warned = true;
        }
        let json = || serde_json::to_string_pretty(report).expect("reports are plain data") + "\n";
        if let Some(file) = &self.file {
            let written = file::write_in_time(file, json().as_bytes(), PATIENCE);
            if let Err(error) = written {
                Problem::new(exit::OWN_FAILURE, cannot_write(file, &error)).report();
            }
        }
        if self.output == Output::Json {
            if let Err(problem) = print_in_time(&json()) {
                problem.report();
            }
        } else if self.somebody_looks || report.verdict != Verdict::Graceful {
            let (level, event) = match report.verdict {
                Verdict::Forced => (Level::Warning, record::FORCED),
                _ => (Level::Error, record::OTHER),
            };
            let text = match record::is_only_way() {
                true => report.summary(),
                false => report.to_string(),
            };
            tell(&report.service, level, event, &text);
        }
    }
}

/// Ends as the program did: by its signal, or with its code.
fn end_as(outcome: &Outcome) -> ExitCode {
    if let Some(signal) = outcome.died_of() {
        winddown_sys::signal::die_of(signal);
    }
    let _ = stdout().flush();
    // Nobody waits for what is done with memory that is gone at once. The whole code where the system has room for more than a byte.
    winddown_sys::exit_now(outcome.exit_code())
}
