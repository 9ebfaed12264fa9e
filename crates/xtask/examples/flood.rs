//! Prints lines at a rate until it is asked to stop: `flood BYTES_PER_SECOND SECONDS FIGURES`.
//!
//! Writes to the file FIGURES how many bytes it printed, their hash, and the longest time that a write took, in µs.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::SIGTERM;

/// How much is printed at once.
const BATCH: usize = 16 * 1024;

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rate: f64 = words[0].parse().expect("a number of bytes");
    let life = Duration::from_secs(words[1].parse().expect("a number of seconds"));
    let asked = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&asked))?;

    let start = Instant::now();
    let (mut bytes, mut hash, mut longest) = (0_u64, fnv::START, Duration::ZERO);
    let (mut batch, mut line) = (Vec::new(), 0_u64);
    // Not by a lock and a buffer: each write is one of a program's own.
    let mut stdout = fs::File::options().write(true).open("/dev/stdout")?;
    while !asked.load(Ordering::Relaxed) && start.elapsed() < life {
        batch.clear();
        while batch.len() < BATCH {
            line += 1;
            write!(
                batch,
                "{line} request of customer {} took {} ms",
                line % 977,
                line % 83
            )?;
            // Neither is all of it text, nor does each batch end with a line.
            batch.extend_from_slice(if line % 10 == 0 {
                b" \xff\xfe\n"
            } else {
                b"\n"
            });
        }
        let begun = Instant::now();
        stdout.write_all(&batch)?;
        longest = longest.max(begun.elapsed());
        bytes += batch.len() as u64;
        hash = fnv::more(hash, &batch);
        let due = start + Duration::from_secs_f64(bytes as f64 / rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let micros = longest.as_micros();
    fs::write(&words[2], format!("{bytes} {hash} {micros}"))
}

/// A hash of bytes, in pieces of any size: FNV-1a.
mod fnv {
    pub(super) const START: u64 = 0xcbf2_9ce4_8422_2325;

    pub(super) fn more(hash: u64, bytes: &[u8]) -> u64 {
        bytes.iter().fold(hash, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}
