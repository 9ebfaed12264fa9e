//! A winddown service that waits for events on a current-thread tokio runtime.

mod probe;

use tokio::runtime::Builder;
use winddown::{Event, Exit, Service};

fn main() -> Exit {
    Service::new("stop-latency").run(|ctx| {
        let mut events = ctx.events();
        ctx.ready()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            probe::ready();
            while let Some(event) = events.next_async().await {
                if let Event::Stop(_) = event {
                    probe::heard();
                }
            }
        });
        Ok(())
    })
}
