//! A winddown service that waits for events on its main thread.

mod probe;

use winddown::{Event, Exit, Service};

fn main() -> Exit {
    Service::new("stop-latency").run(|ctx| {
        let events = ctx.events();
        ctx.ready()?;
        probe::ready();
        for event in events {
            if let Event::Stop(_) = event {
                probe::heard();
            }
        }
        Ok(())
    })
}
