//! A small HTTP service, the same `main` for every host: a console, PID 1 of a container, systemd, the Windows SCM.
//!
//! Each request takes as long as `GET /wait/MILLIS` says, and is held by a guard until it was answered.
//!
//! ```console
//! $ cargo run --example shop -- --port 8080 --report stop.json
//! ```

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use winddown::{BoxError, Context, Event, Exit, Failure, Phase, Service};

fn main() -> Exit {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}");
            return Exit::Failed(2);
        }
    };
    let mut service = Service::new("shop")
        .stop_within(options.stop_within)
        .progress_lease(options.lease)
        .reloads()
        .pauses()
        .user_events();
    if let Some(report) = &options.report {
        service = service.report_to(report);
    }
    service.run(move |ctx| serve(&ctx, &options))
}

fn serve(ctx: &Context, options: &Options) -> Result<(), BoxError> {
    let (stuck, cleanup, failure) = (options.stuck, options.cleanup, options.fail);
    ctx.on_stop(Phase::Close, "stock", move |stop| -> Result<(), BoxError> {
        thread::sleep(stuck);
        let step = Duration::from_millis(100);
        let mut left = cleanup;
        while !left.is_zero() {
            thread::sleep(step.min(left));
            left = left.saturating_sub(step);
            stop.progress();
        }
        match failure {
            0 => Ok(()),
            code => Err(Failure::new(code, "the stock could not be written").into()),
        }
    })?;

    ctx.status("starting");
    let mut events = ctx.events();
    // A start that takes its time looks for a stop meanwhile.
    if let Some(Event::Stop(stop)) = events.next_timeout(options.start_delay) {
        say(options, &format!("start given up: {}", stop.reason()));
        return Ok(());
    }
    let listener = listen(ctx, options)?;
    let address = listener.local_addr()?;
    let open = Arc::new(AtomicBool::new(true));

    let (accepting, shut) = (Arc::clone(&open), Arc::clone(&open));
    let acceptor = ctx.clone();
    let acceptor = thread::spawn(move || accept(&acceptor, &listener, &accepting));
    ctx.on_stop(Phase::Refuse, "listener", move |_stop| {
        shut.store(false, Ordering::Release);
        // Wakes the thread that accepts.
        let woken = TcpStream::connect(address).map(drop);
        // What it has accepted by its end is held by a guard, and the drain begins after this.
        let _ = acceptor.join();
        woken
    })?;

    ctx.ready()?;
    ctx.status("serving");
    say(options, &format!("listening on {address}"));
    for event in events {
        match event {
            Event::Reload(reload) => say(options, &format!("reload asked by {}", reload.origin())),
            Event::Pause(pause) => say(options, &format!("pause asked by {}", pause.origin())),
            Event::Resume(resume) => say(options, &format!("resume asked by {}", resume.origin())),
            Event::User(event) => say(options, &format!("user event {}", event.code())),
            Event::Stop(stop) => say(options, &format!("stop asked by {}", stop.reason())),
            _ => {}
        }
    }
    Ok(())
}

/// The socket that the host opened for us, or one of our own.
fn listen(ctx: &Context, options: &Options) -> Result<TcpListener, BoxError> {
    match ctx.take_sockets().into_iter().next() {
        Some(socket) => Ok(socket.into_tcp_listener()?),
        None => Ok(TcpListener::bind(("127.0.0.1", options.port))?),
    }
}

/// Accepts until it was told to stop, and then what is in the backlog already: those clients have connected.
fn accept(ctx: &Context, listener: &TcpListener, open: &AtomicBool) {
    while let Ok((stream, _)) = listener.accept() {
        let guard = ctx.guard("request");
        thread::spawn(move || {
            // A client that went away has nobody to tell.
            let _ = answer(stream);
            drop(guard);
        });
        if !open.load(Ordering::Acquire) && listener.set_nonblocking(true).is_err() {
            return;
        }
    }
}

fn answer(mut stream: TcpStream) -> Result<(), Box<dyn Error>> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut request = String::new();
    let mut lines = BufReader::new(stream.try_clone()?);
    lines.read_line(&mut request)?;
    let mut header = String::new();
    while lines.read_line(&mut header)? > 2 {
        header.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or("/");
    if let Some(millis) = path.strip_prefix("/wait/") {
        thread::sleep(Duration::from_millis(millis.parse()?));
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")?;
    Ok(())
}

/// Says it on standard output, and in the log: a Windows service has no standard output.
fn say(options: &Options, text: &str) {
    println!("{text}");
    if let Some(log) = &options.log {
        let line = text.to_owned() + "\n";
        let file = OpenOptions::new().create(true).append(true).open(log);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("error: cannot write to {log}: {error}");
        }
    }
}

struct Options {
    port: u16,
    report: Option<String>,
    log: Option<String>,
    stop_within: Duration,
    lease: Duration,
    start_delay: Duration,
    stuck: Duration,
    cleanup: Duration,
    fail: u8,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let mut options = Self {
            port: 0,
            report: None,
            log: None,
            stop_within: Duration::from_secs(20),
            lease: Duration::from_secs(10),
            start_delay: Duration::ZERO,
            stuck: Duration::ZERO,
            cleanup: Duration::ZERO,
            fail: 0,
        };
        while let Some(flag) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{flag} needs a value"))?;
            let millis = || value.parse().map(Duration::from_millis);
            match flag.as_str() {
                "--port" => options.port = value.parse()?,
                "--report" => options.report = Some(value),
                "--log" => options.log = Some(value),
                "--stop-within-ms" => options.stop_within = millis()?,
                "--lease-ms" => options.lease = millis()?,
                "--start-delay-ms" => options.start_delay = millis()?,
                "--stuck-ms" => options.stuck = millis()?,
                "--cleanup-ms" => options.cleanup = millis()?,
                "--fail" => options.fail = value.parse()?,
                other => return Err(format!("{other} is no option of this example").into()),
            }
        }
        Ok(options)
    }
}
