//! `cargo xtask bench logs`: output at a rate through `winddown run`, rotated and compressed, with a stop in the middle.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use rustix::process::Signal;
use serde_json::json;

use super::Output;
use super::processes::{Memory, Usage};
use super::subject::Subject;
use crate::command::Cmd;
use crate::error::Error;
use crate::workspace;

/// The size at which a file is set aside.
const FILE_BYTES: u64 = 50_000_000;
/// What the stop may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn run(seconds: u64, megabytes: u64, output: Output) -> Result<(), Error> {
    for build in [
        ["--package=winddown-cli", "--bins"],
        ["--package=xtask", "--example=flood"],
    ] {
        Cmd::cargo()
            .args(["build", "--quiet", "--release"])
            .args(build)
            .limit_seconds(1_800)
            .run()?
            .0?;
    }
    let directory = workspace::target("bench/logs");
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(Error::file(&directory))?;
    }
    fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
    let (log, figures) = (directory.join("flood.log"), directory.join("figures"));

    let flood = workspace::target("release/examples/flood");
    // The stop comes before.
    let (rate, life) = (megabytes * 1_000_000, seconds + 60);
    let definition = format!(
        "command = [{flood:?}, \"{rate}\", \"{life}\", {figures:?}]\n\
         [logs]\nfile = {log:?}\nrotate = {{ size = \"{FILE_BYTES}B\", compress = true }}\n"
    );
    let config = directory.join("winddown.toml");
    fs::write(&config, definition).map_err(Error::file(&config))?;
    let winddown = Cmd::new(workspace::target("release/winddown"))
        .args(["run", "--config"])
        .arg(&config);
    let subject = Subject::start_unheard("winddown run", winddown)?;
    super::pause(Duration::from_secs(seconds))?;
    let own = [subject.pid()];
    let (usage, memory) = (Usage::of(&own), Memory::of(&own));
    let asked = Instant::now();
    subject.signal(Signal::TERM)?;
    subject.wait(LIMIT)?;
    let drained = asked.elapsed();

    let text = fs::read_to_string(&figures).map_err(Error::file(&figures))?;
    let numbers: Vec<u64> = text
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    let &[bytes, hash, longest_write_us] = numbers.as_slice() else {
        return Err(Error::Unusable(format!(
            "the program's figures are `{text}`"
        )));
    };
    let (files, logged, logged_hash) = hash_of(&log)?;
    let equal = (bytes, hash) == (logged, logged_hash);
    print(
        &[
            ("bytes written", bytes.to_string()),
            ("bytes logged", logged.to_string()),
            ("equal", equal.to_string()),
            ("files", files.to_string()),
            (
                "longest write of the program, ms",
                millis(longest_write_us as f64 / 1e3),
            ),
            (
                "stop until all is on disk, ms",
                millis(drained.as_secs_f64() * 1e3),
            ),
            ("CPU, s", format!("{:.2}", usage.cpu_nanos as f64 / 1e9)),
            ("RSS, kB", memory.rss_kb.to_string()),
        ],
        seconds,
        megabytes,
        output,
    );
    match equal {
        true => Ok(()),
        false => Err(Error::Unusable(
            "what was logged is not what was written".to_owned(),
        )),
    }
}

fn millis(millis: f64) -> String {
    format!("{millis:.1}")
}

/// How many files a log has, how many bytes, and their hash (FNV-1a), the oldest first.
fn hash_of(log: &Path) -> Result<(usize, u64, u64), Error> {
    let directory = log.parent().unwrap_or(log);
    let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
    let old = format!("{}.", name(log).to_string_lossy());
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .map_err(Error::file(directory))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = name(path).to_string_lossy().into_owned();
            name.starts_with(&old) && !name.ends_with(".unfinished")
        })
        .collect();
    files.sort();
    // One that was just compressed may not have been removed yet: the shorter name is the same bytes.
    files.dedup_by(|later, earlier| later.with_extension("") == **earlier);
    files.push(log.to_owned());
    let (mut bytes, mut hash) = (0, 0xcbf2_9ce4_8422_2325_u64);
    for path in &files {
        let file = File::open(path).map_err(Error::file(path))?;
        let mut reader: Box<dyn Read> = match path.extension().is_some_and(|ending| ending == "gz")
        {
            true => Box::new(GzDecoder::new(file)),
            false => Box::new(file),
        };
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = reader.read(&mut buffer).map_err(Error::file(path))?;
            if count == 0 {
                break;
            }
            bytes += count as u64;
            hash = buffer[..count].iter().fold(hash, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        }
    }
    Ok((files.len(), bytes, hash))
}

fn print(figures: &[(&str, String)], seconds: u64, megabytes: u64, output: Output) {
    if output == Output::Json {
        let object: serde_json::Map<_, _> = figures
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        println!("{:#}", json!(object));
        return;
    }
    println!(
        "{megabytes} MB/s for {seconds} s, files of {} MB, compressed, stopped in the middle:\n",
        FILE_BYTES / 1_000_000
    );
    let rows: Vec<_> = figures
        .iter()
        .map(|(name, value)| vec![(*name).to_owned(), value.clone()])
        .collect();
    super::table::print(&["", "measured"], &rows);
}
