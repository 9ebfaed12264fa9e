//! The async twins say what their blocking twins say.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use winddown::{BoxError, Context, Environment, Event, Phase, Service, Verdict};
use winddown_core::scm::{Control, Scm, ServiceState};
use winddown_testkit::{FakeClock, FakeScm, Watchdog};

/// Runs `body` on a current-thread runtime as a service of the fake SCM, stops it, and gives the verdict and what was sent.
fn stopped<F>(body: F) -> (Verdict, Vec<String>)
where
    F: AsyncFn(Context, mpsc::Sender<String>) -> Result<(), BoxError> + Send + Sync + 'static,
{
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let clock = FakeClock::new();
    let scm = FakeScm::new(&clock);
    let (said, says) = mpsc::channel();
    let (report, reports) = mpsc::channel();
    let (said, report, body) = (Mutex::new(said), Mutex::new(report), Arc::new(body));
    scm.service("async", move |scm: Arc<dyn Scm>| {
        let (body, said) = (Arc::clone(&body), said.lock().unwrap().clone());
        let report = report.lock().unwrap().clone();
        let service = Service::new("async")
            .user_events()
            .on_report(move |written| report.send(written.verdict).unwrap());
        let world = Environment::simulated(scm, Arc::new(clock.clone()));
        let _ = service.run_in(world, move |ctx| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(body(ctx, said))
        });
    });
    scm.start("async", &[]).unwrap();
    scm.wait_for_state("async", ServiceState::Running);
    scm.control("async", Control::Custom(200)).unwrap();
    scm.control("async", Control::Stop).unwrap();
    scm.wait_for_state("async", ServiceState::Stopped);
    scm.wait_for_exit("async");
    assert_eq!(scm.violations(), []);
    (reports.recv().unwrap(), says.try_iter().collect())
}

#[test]
fn wd_15_events_come_in_the_same_order_to_a_task() {
    let (verdict, said) = stopped(async |ctx, said| {
        ctx.ready()?;
        let mut events = ctx.events();
        while let Some(event) = events.next_async().await {
            said.send(match event {
                Event::User(user) => format!("user {}", user.code()),
                Event::Stop(stop) => format!("stop by {}", stop.reason()),
                other => format!("{other:?}"),
            })?;
        }
        Ok(())
    });
    assert_eq!(said, ["user 200", "stop by scm stop"]);
    assert_eq!(verdict, Verdict::Graceful);
}

#[test]
fn wd_16_a_late_task_sees_the_stop_and_tokens_are_cancelled() {
    let (verdict, said) = stopped(async |ctx, said| {
        let token = ctx.stopping().cancellation_token();
        ctx.ready()?;
        token.cancelled().await;
        let stop = ctx.stopping().stopped().await?;
        said.send(stop.reason().to_string())?;
        Ok(())
    });
    assert_eq!(said, ["scm stop"]);
    assert_eq!(verdict, Verdict::Graceful);
}

/// WD-10: a token takes nothing away from the first subscription, which gets what came before it.
#[test]
fn wd_10_a_token_leaves_the_events_to_the_first_subscription() {
    let (verdict, said) = stopped(async |ctx, said| {
        let token = ctx.stopping().cancellation_token();
        // The token's task subscribes here.
        tokio::task::yield_now().await;
        ctx.ready()?;
        token.cancelled().await;
        for event in ctx.events() {
            said.send(match event {
                Event::User(user) => format!("user {}", user.code()),
                Event::Stop(stop) => format!("stop by {}", stop.reason()),
                other => format!("{other:?}"),
            })?;
        }
        Ok(())
    });
    assert_eq!(said, ["user 200", "stop by scm stop"]);
    assert_eq!(verdict, Verdict::Graceful);
}

#[test]
fn wd_22_an_async_hook_runs_on_the_programs_runtime_and_its_error_is_recorded() {
    let (verdict, said) = stopped(async |ctx, said| {
        let (done, finished) = tokio::sync::oneshot::channel();
        ctx.on_stop_async(Phase::Refuse, "flush", move |_stop| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let _ = said.send("flushed".to_owned());
            let _ = done.send(());
            Err::<(), _>("the disk is full")
        })?;
        ctx.ready()?;
        ctx.stopping().stopped().await?;
        finished.await?;
        Ok(())
    });
    assert_eq!(said, ["flushed"]);
    assert_eq!(verdict, Verdict::Failed);
}
