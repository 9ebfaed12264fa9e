//! The files by which supervisors are told what to run, as their manuals show them, with their own defaults.

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::installed;
use super::{Behaviour, Plan, STOP_LIMIT};
use crate::command::Cmd;
use crate::error::Error;
use crate::workspace;

/// Reports are kept as they always are, in a directory that is there already.
pub(super) fn winddown_run() -> Cmd {
    let winddown = Cmd::new(installed("winddown"));
    winddown
        .arg("run")
        .env("WINDDOWN_STATE_DIRECTORY", workspace::target("bench/state"))
}

pub(super) fn winddown_definition(plan: &Plan) -> Result<Cmd, Error> {
    let seconds = STOP_LIMIT.as_secs();
    let mut text = format!("name = \"bench\"\n[stop]\ntimeout = \"{seconds}s\"\n");
    for name in plan.names() {
        let program = json!(plan.program());
        write!(text, "[service.{name}]\ncommand = {program}\n").expect("a string takes everything");
        if plan.behaviour == Behaviour::Crash {
            write!(text, "[service.{name}.restart]\npolicy = \"always\"\n")
                .expect("a string takes everything");
        }
    }
    let definition = file(plan.directory, "winddown.toml", &text)?;
    Ok(winddown_run().arg("--config").arg(definition))
}

pub(super) fn s6_supervise(plan: &Plan) -> Result<Cmd, Error> {
    let directory = plan.directory.join("service");
    s6_directory(&directory, plan)?;
    Ok(Cmd::new("s6-supervise").arg(directory))
}

pub(super) fn s6_svscan(plan: &Plan) -> Result<Cmd, Error> {
    let services = plan.directory.join("services");
    for name in plan.names() {
        s6_directory(&services.join(name), plan)?;
    }
    // It takes 500 services unless told otherwise.
    Ok(Cmd::new("s6-svscan").args(["-c", "4000"]).arg(services))
}

fn s6_directory(directory: &Path, plan: &Plan) -> Result<(), Error> {
    run_script(directory, plan)?;
    let limit = STOP_LIMIT.as_millis().to_string();
    file(directory, "timeout-kill", &limit).map(drop)
}

pub(super) fn runsv(plan: &Plan) -> Result<Cmd, Error> {
    let directory = plan.directory.join("service");
    run_script(&directory, plan)?;
    Ok(Cmd::new("runsv").arg(directory))
}

pub(super) fn runsvdir(plan: &Plan) -> Result<Cmd, Error> {
    let services = plan.directory.join("services");
    for name in plan.names() {
        run_script(&services.join(name), plan)?;
    }
    Ok(Cmd::new("runsvdir").arg(services))
}

/// A service directory as s6 and runit read it.
fn run_script(directory: &Path, plan: &Plan) -> Result<(), Error> {
    fs::create_dir_all(directory).map_err(Error::file(directory))?;
    let text = format!("#!/bin/sh\nexec {}\n", plan.program().join(" "));
    let script = file(directory, "run", &text)?;
    fs::set_permissions(&script, Permissions::from_mode(0o755)).map_err(Error::file(&script))
}

pub(super) fn supervisord(plan: &Plan) -> Result<Cmd, Error> {
    let mut text =
        "[supervisord]\nnodaemon=true\nuser=root\nlogfile=/dev/null\nlogfile_maxbytes=0\n\
                    pidfile=supervisord.pid\nchildlogdir=.\nminfds=5000\n"
            .to_owned();
    let program = plan.program().join(" ");
    for name in plan.names() {
        write!(
            text,
            "[program:{name}]\ncommand={program}\nautorestart=true\nstopwaitsecs={}\n",
            STOP_LIMIT.as_secs()
        )
        .expect("a string takes everything");
    }
    let config = file(plan.directory, "supervisord.conf", &text)?;
    let supervisord = Cmd::new("supervisord").arg("--configuration").arg(config);
    Ok(supervisord.directory(plan.directory))
}

pub(super) fn circusd() -> PathBuf {
    workspace::target("tools/python/bin/circusd")
}

pub(super) fn circus(plan: &Plan) -> Result<Cmd, Error> {
    let directory = plan.directory.display();
    let mut text = format!(
        "[circus]\nendpoint = ipc://{directory}/endpoint\npubsub_endpoint = ipc://{directory}/pubsub\n"
    );
    let [program, arguments @ ..] = plan.program();
    for name in plan.names() {
        // Without its environment, what was left running could not be found.
        write!(
            text,
            "[watcher:{name}]\ncmd = {program}\nargs = {}\ncopy_env = True\ngraceful_timeout = {}\n",
            arguments.join(" "),
            STOP_LIMIT.as_secs()
        )
        .expect("a string takes everything");
    }
    let config = file(plan.directory, "circus.ini", &text)?;
    let circusd = Cmd::new(circusd()).args(["--log-output", "/dev/null"]);
    Ok(circusd.arg(config))
}

pub(super) fn pm2_runtime() -> PathBuf {
    workspace::target("tools/node/node_modules/.bin/pm2-runtime")
}

pub(super) fn pm2(plan: &Plan) -> Result<Cmd, Error> {
    let [program, arguments @ ..] = plan.program();
    let apps: Vec<_> = plan
        .names()
        .map(|name| {
            json!({
                "name": name,
                "script": program,
                "args": arguments,
                "interpreter": "none",
                "exec_mode": "fork",
                "vizion": false,
                "kill_timeout": u64::try_from(STOP_LIMIT.as_millis()).expect("it is short"),
            })
        })
        .collect();
    let text = json!({ "apps": apps }).to_string();
    let config = file(plan.directory, "ecosystem.json", &text)?;
    Ok(Cmd::new(pm2_runtime())
        .env("PM2_HOME", plan.directory)
        .env("PM2_KILL_SIGNAL", "SIGTERM")
        .arg("start")
        .arg(config))
}

fn file(directory: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let file = directory.join(name);
    fs::write(&file, text).map_err(Error::file(&file))?;
    Ok(file)
}
