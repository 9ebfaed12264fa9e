//! A program on tokio's signals, in a current-thread runtime.

mod probe;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        probe::ready();
        if terminate.recv().await.is_some() {
            probe::heard();
        }
        Ok(())
    })
}
