//! Runs until its standard input is closed.
//!
//! Wine stops all services when the last ordinary program has ended; this is that program while
//! tests run. Whoever holds the other end of its input ends it, however that one dies.
//!
//! Its hidden window has Wine start the desktop now, with this program's output and not a test's.

use winddown_sys::Sources;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _sources = Sources::attach([])?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
