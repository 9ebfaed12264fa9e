//! Runs a program with its output captured, and says what became of it.
//!
//! ```text
//! cargo run --example capture -- app.log 10000000 sh -c 'seq 1 10000000'
//! cargo run --example capture -- --forward sh -c 'echo hello'
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use winddown_run::logs::{ConsoleOptions, Destination, Files, Format, LogOptions, Logs, Rotation};
use winddown_sys::process::{SpawnOptions, spawn};
use winddown_sys::wait_any;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let forward = words.first().is_some_and(|word| word == "--forward");
    let options = match forward {
        true => LogOptions {
            forward,
            ..LogOptions::default()
        },
        false => LogOptions {
            to: Destination::Files(Box::new(Files {
                file: words[0].clone().into(),
                errors_file: None,
                format: Format::Raw,
                rotation: Rotation {
                    size: Some(words[1].parse()?),
                    compress: true,
                    ..Rotation::default()
                },
            })),
            ..LogOptions::default()
        },
    };
    let command = words.split_off(if forward { 1 } else { 2 });

    let console = ConsoleOptions {
        prefix: forward,
        colour: false,
    };
    let warn = |service: &str, text: &str| eprintln!("{service}: {text}");
    let logs = Logs::new(console, Arc::new(warn))?;
    let captured = logs
        .open("app", &options)?
        .expect("these options capture the output");
    let (streams, mut capture) = captured.begin()?;
    let mut spawned = SpawnOptions::new(&command[0], &command[1..]);
    (spawned.stdout, spawned.stderr) = (streams.stdout, streams.stderr);
    let child = spawn(&spawned)?;
    // Its output ends when nobody has its streams open any more.
    drop(spawned);
    while child.try_wait()?.is_none() {
        wait_any(&[&child], None);
    }

    capture.drain(Duration::from_secs(30));
    while !capture.is_drained() {
        wait_any(&[&logs], None);
        logs.noticed();
    }
    eprintln!("{}", serde_json::to_string(&capture.summary())?);
    Ok(())
}
