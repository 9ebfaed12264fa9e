//! The thread that runs stop hooks, one at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use winddown_core::HookId;
use winddown_core::report::HookOutcome;

use crate::engine::panic_message;
use crate::error::{BoxError, chain, exit_code_of};
use crate::runtime::Runtime;
use crate::stop::Stop;

/// A stop hook.
pub(crate) type Hook = Box<dyn FnOnce(&Stop) -> Result<(), BoxError> + Send>;

type Job = (HookId, Hook, Stop);

/// A thread for hooks. It is there from the start, so that a process that can start no thread any more still cleans up; one
/// that is stuck in a hook is left behind for another. Dropping this ends the thread after its present hook.
pub(crate) struct Worker {
    jobs: Sender<Job>,
    busy: Option<HookId>,
}

impl Worker {
    pub(crate) fn start(runtime: &Arc<Runtime>) -> std::io::Result<Self> {
        let (jobs, received) = channel::<Job>();
        let runtime = Arc::downgrade(runtime);
        thread::Builder::new()
            .name("winddown-hooks".to_owned())
            .spawn(move || {
                for (id, hook, stop) in received {
                    let result = catch_unwind(AssertUnwindSafe(|| hook(&stop)));
                    let (outcome, code) = match result {
                        Ok(Ok(())) => (HookOutcome::Done, None),
                        Ok(Err(error)) => (
                            HookOutcome::Failed(chain(&error)),
                            Some(exit_code_of(&error)),
                        ),
                        Err(panic) => (HookOutcome::Panicked(panic_message(&*panic)), Some(1)),
                    };
                    let Some(runtime) = runtime.upgrade() else {
                        return;
                    };
                    runtime.hook_finished(id, outcome, code);
                }
            })?;
        Ok(Self { jobs, busy: None })
    }

    pub(crate) const fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    pub(crate) fn run(&mut self, id: HookId, hook: Hook, stop: Stop) {
        self.busy = Some(id);
        // The thread receives as long as this sender lives.
        let _ = self.jobs.send((id, hook, stop));
    }

    pub(crate) fn finished(&mut self, id: HookId) {
        self.busy.take_if(|busy| *busy == id);
    }
}
