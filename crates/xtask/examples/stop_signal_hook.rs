//! A program on signal-hook's iterator.

mod probe;

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

fn main() -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM])?;
    probe::ready();
    if signals.forever().next().is_some() {
        probe::heard();
    }
    Ok(())
}
