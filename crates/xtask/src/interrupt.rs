//! Ctrl+C and TERM end the running command, not only this process: commands run in process groups
//! of their own, which the terminal does not reach.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use crate::error::Error;

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

pub(crate) fn attach() -> Result<(), Error> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED)).map_err(Error::Signals)?;
    }
    Ok(())
}

pub(crate) fn requested() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
