//! Services that stop badly, each in its own way, for seeing what the library does about it.
//!
//! ```console
//! $ cargo run --example stubborn_service -- hang --report stop.json
//! ```

use std::hint;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use winddown::{BoxError, Context, Exit, Failure, Phase, Service};

/// How long a stop may take here: what hangs is cut soon.
const STOP_WITHIN: Duration = Duration::from_secs(2);

fn main() -> Exit {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (way, report) = match words[..] {
        [way] => (way, None),
        [way, "--report", report] => (way, Some(report)),
        _ => ("", None),
    };
    let body: fn(&Context) -> Result<(), BoxError> = match way {
        "spin" => spin,
        "read" => read,
        "ignore" => ignore,
        "late" => late,
        "register" => register,
        "panic" => panic,
        "hang" => hang,
        "hold" => hold,
        "fail" => fail,
        "crash" => crash,
        _ => {
            eprintln!(
                "usage: stubborn_service spin|read|ignore|late|register|panic|hang|hold|fail|crash [--report FILE]"
            );
            return Exit::Failed(2);
        }
    };
    let mut service = Service::new("stubborn").stop_within(STOP_WITHIN);
    if let Some(report) = report {
        service = service.report_to(report);
    }
    service.run(move |ctx| {
        ctx.on_stop(Phase::Unready, "tell", |stop| {
            println!("stop asked by {}", stop.reason());
        })?;
        body(&ctx)
    })
}

/// Every thread computes without end, more of them than there are processors.
fn spin(ctx: &Context) -> Result<(), BoxError> {
    let threads = 2 * thread::available_parallelism()?.get();
    for _ in 0..threads {
        thread::spawn(|| {
            loop {
                hint::spin_loop();
            }
        });
    }
    ready(ctx)?;
    let stopping = ctx.stopping();
    while !stopping.is_stopping() {
        hint::spin_loop();
    }
    Ok(())
}

/// The only thread waits for input that does not come.
fn read(ctx: &Context) -> Result<(), BoxError> {
    ready(ctx)?;
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Takes its stop, and does nothing with it.
fn ignore(ctx: &Context) -> Result<(), BoxError> {
    let events = ctx.events();
    ready(ctx)?;
    for event in events {
        println!("ignored: {event:?}");
    }
    sleep_for_good()
}

/// Asks for events only once the stop has begun.
fn late(ctx: &Context) -> Result<(), BoxError> {
    ready(ctx)?;
    let _ = ctx.stopping().wait();
    for event in ctx.events() {
        println!("late: {event:?}");
    }
    Ok(())
}

/// Is still starting when the stop comes, and registers a hook for a phase that has gone.
fn register(ctx: &Context) -> Result<(), BoxError> {
    let (refuse, refusing) = mpsc::channel();
    ctx.on_stop(Phase::Refuse, "refuse", move |_stop| refuse.send(()))?;
    println!("starting");
    refusing.recv()?;
    ctx.on_stop(Phase::Unready, "balancer", |_stop| {
        println!("this runs too late");
    })?;
    ready(ctx)
}

fn panic(ctx: &Context) -> Result<(), BoxError> {
    ctx.on_stop(Phase::Close, "below", |_stop| println!("below is closed"))?;
    let line = line!() + 1;
    ctx.on_stop(Phase::Close, "careless", |_stop| be_careless())?;
    println!("careless at {}:{line}", file!());
    wait(ctx)
}

fn hang(ctx: &Context) -> Result<(), BoxError> {
    ctx.on_stop(Phase::Close, "below", |_stop| println!("below is closed"))?;
    let line = line!() + 1;
    ctx.on_stop(Phase::Close, "stuck", |_stop| -> () { sleep_for_good() })?;
    println!("stuck at {}:{line}", file!());
    wait(ctx)
}

/// Three requests that never end.
fn hold(ctx: &Context) -> Result<(), BoxError> {
    let line = line!() + 1;
    let requests: Vec<_> = (0..3).map(|_| ctx.guard("request")).collect();
    println!("request at {}:{line}", file!());
    let done = ctx.guard("done");
    drop(done);
    std::mem::forget(requests);
    wait(ctx)
}

fn fail(_ctx: &Context) -> Result<(), BoxError> {
    Err(Failure::new(7, "the journal is damaged").into())
}

fn crash(_ctx: &Context) -> Result<(), BoxError> {
    panic!("the journal is damaged")
}

fn be_careless() {
    panic!("careless is not there");
}

fn sleep_for_good() -> ! {
    loop {
        thread::park();
    }
}

fn ready(ctx: &Context) -> Result<(), BoxError> {
    ctx.ready()?;
    println!("ready");
    Ok(())
}

fn wait(ctx: &Context) -> Result<(), BoxError> {
    ready(ctx)?;
    let _ = ctx.stopping().wait();
    Ok(())
}
