//! Runs until its standard input is closed.
//!
//! Wine stops all services when the last ordinary program has ended; this is that program while
//! tests run. Whoever holds the other end of its input ends it, however that one dies.
//!
//! It says `up` once the prefix runs: whoever asks the prefix for anything before would start it in its place, and take over
//! the services' event log.
//!
//! Its hidden window has Wine start the desktop now, with this program's output and not a test's.

use winddown_sys::Sources;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _sources = Sources::attach([])?;
    println!("up");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
