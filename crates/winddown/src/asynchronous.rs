//! Async twins of what blocks, for programs on tokio. The semantics are those of the twins: only the waiting differs.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use winddown_core::Phase;

use crate::context::Context;
use crate::error::{BoxError, Error, HookResult};
use crate::event::Event;
use crate::exit::Exit;
use crate::service::Service;
use crate::stop::{Stop, StopToken};
use crate::subscription::Events;

impl Service {
    /// Like [`Service::run`], for a body that is a future: it runs on a tokio runtime with a thread for each processor, which is
    /// shut down without waiting for what still runs on it once the body has returned.
    pub fn run_async<F, Fut>(self, body: F) -> Exit
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), BoxError>>,
    {
        self.run(move |ctx| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            let result = runtime.block_on(body(ctx));
            runtime.shutdown_background();
            result
        })
    }
}

impl Context {
    /// Like [`Context::on_stop`], for a hook that is a future. It runs on the tokio runtime that this is called in, while the
    /// thread of the hooks waits for it.
    ///
    /// # Errors
    /// As [`Context::on_stop`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[track_caller]
    pub fn on_stop_async<F, Fut>(&self, phase: Phase, name: &str, hook: F) -> Result<(), Error>
    where
        F: FnOnce(Stop) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: HookResult + Send + 'static,
    {
        let place = Location::caller();
        let handle = Handle::current();
        let hook = Box::new(move |stop: &Stop| {
            let (done, result) = std::sync::mpsc::channel();
            let task = hook(stop.clone());
            handle.spawn(async move {
                // The thread of the hooks may have given up waiting.
                let _ = done.send(task.await.into_result());
            });
            result
                .recv()
                .unwrap_or_else(|_| Err("the task of the hook was dropped or panicked".into()))
        });
        self.register(phase, name, place, hook)
    }
}

impl StopToken {
    /// Waits until a stop was asked for, and gives it. As [`StopToken::wait`], this does not count as alive (WD-58).
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime, or within one that has no I/O.
    pub async fn stopped(&self) -> Result<Stop, Error> {
        let mut events = Events::of_the_stop(Arc::clone(&self.runtime))?;
        match events.next_async().await {
            Some(Event::Stop(stop)) => Ok(stop),
            _ => unreachable!("nothing comes but the stop"),
        }
    }

    /// A token of `tokio_util` that is cancelled when a stop was asked for.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn cancellation_token(&self) -> CancellationToken {
        let token = CancellationToken::new();
        let (stop, cancelled) = (self.clone(), token.clone());
        tokio::spawn(async move {
            let _ = stop.stopped().await;
            cancelled.cancel();
        });
        token
    }
}

#[cfg(test)]
mod tests;
