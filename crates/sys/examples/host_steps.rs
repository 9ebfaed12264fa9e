//! A service in steps: each argument is one thing that it does towards its host, in order.
//!
//! ```text
//! host              print the detected host as one line of JSON
//! environment       print the manager's variables that a child would inherit
//! listen            print the name, kind and close-on-exec flag of each descriptor from the manager
//! ready stopping watchdog watchdog-trigger
//! status=TEXT reloading=MICROSECONDS extend=SECONDS main-pid=PID errno=N exit-status=N
//! fdstore=NAME      have the manager keep a socket
//! fdstore-remove=NAME
//! server=N          print the address of a socket for notifications, take N, and print their senders
//! barrier=SECONDS   wait until the manager has handled all that
//! error=TEXT warning=TEXT info=TEXT
//!                   write an entry for the operator
//! child             do the steps that follow in a child process, and exit with its code
//! pause=SECONDS     take that long
//! wait              wait for a signal
//! ```
//! A step that fails is printed, and makes the exit code 1.

use std::env;
use std::process::{Command, ExitCode};
use std::time::Duration;

use winddown_sys::notify::{Environment, MANAGER_VARIABLES, Notifier, NotifyServer};
use winddown_sys::record::{self, Level};
use winddown_sys::{host, listen, wait_any};

fn main() -> ExitCode {
    let environment = Environment::take();
    let notifier = match Notifier::from_environment(environment) {
        Ok(notifier) => notifier,
        Err(error) => {
            println!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut steps = env::args().skip(1);
    let mut all_done = true;
    while let Some(step) = steps.next() {
        if step == "child" {
            let program = env::current_exe().expect("a program has a path");
            let status = Command::new(program).args(steps).status();
            let done = status.is_ok_and(|status| status.success());
            return ExitCode::from(u8::from(!done));
        }
        if !perform(&step, &notifier) {
            println!("failed: {step}");
            all_done = false;
        }
    }
    ExitCode::from(u8::from(!all_done))
}

fn perform(step: &str, notifier: &Notifier) -> bool {
    let (word, value) = step.split_once('=').unwrap_or((step, ""));
    let seconds = || Duration::from_secs(value.parse().expect("a number of seconds"));
    let number = || value.parse().expect("a number");
    match word {
        "host" => {
            let host = serde_json::to_string(&host::detect()).expect("a host is valid JSON");
            println!("{host}");
            true
        }
        "environment" => {
            for name in MANAGER_VARIABLES {
                if env::var_os(name).is_some() {
                    println!("{name}");
                }
            }
            true
        }
        "listen" => print_descriptors(),
        "server" => serve(number()),
        "ready" => notifier.ready(),
        "stopping" => notifier.stopping(),
        "watchdog" => notifier.watchdog(),
        "watchdog-trigger" => notifier.watchdog_trigger(),
        "status" => notifier.status(value),
        "reloading" => notifier.reloading(value.parse().expect("a number of microseconds")),
        "extend" => notifier.extend_timeout(seconds()),
        "main-pid" => notifier.main_pid(value.parse().expect("a pid")),
        "errno" => notifier.errno(number()),
        "exit-status" => notifier.exit_status(number()),
        "error" => record::entry("steps", Level::Error, record::FORCED, value),
        "warning" => record::entry("steps", Level::Warning, record::FORCED, value),
        "info" => record::entry("steps", Level::Info, record::FORCED, value),
        "pause" => {
            std::thread::sleep(seconds());
            true
        }
        "wait" => loop {
            std::thread::park();
        },
        _ => perform_with_descriptors(word, value, notifier),
    }
}

#[cfg(unix)]
fn perform_with_descriptors(word: &str, value: &str, notifier: &Notifier) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use winddown_core::notify::DescriptorName;

    let name = || DescriptorName::new(value).expect("a name for a descriptor");
    match word {
        "fdstore" => {
            let socket = UnixDatagram::unbound().expect("a socket");
            notifier.fdstore(name(), &[socket.as_fd()])
        }
        "fdstore-remove" => notifier.fdstore_remove(name()),
        "barrier" => notifier.barrier(Duration::from_secs(value.parse().expect("seconds"))),
        _ => false,
    }
}

#[cfg(not(unix))]
fn perform_with_descriptors(_: &str, _: &str, _: &Notifier) -> bool {
    false
}

fn serve(notifications: i32) -> bool {
    let mut server = NotifyServer::bind().expect("a socket can be bound");
    println!("{}", server.address().to_string_lossy());
    let mut taken = 0;
    while taken < notifications {
        let _ = wait_any(&[&server], None);
        for received in server.receive().expect("the socket can be read") {
            println!("{:?}", received.sender);
            taken += 1;
        }
    }
    true
}

fn print_descriptors() -> bool {
    match listen::take() {
        Ok(descriptors) => {
            for descriptor in &descriptors {
                println!(
                    "{} {:?} {}",
                    descriptor.name().unwrap_or("-"),
                    descriptor.kind(),
                    inherited_by_children(descriptor)
                );
            }
            true
        }
        Err(error) => {
            println!("error: {error}");
            false
        }
    }
}

#[cfg(unix)]
fn inherited_by_children(descriptor: &listen::ListenFd) -> &'static str {
    match rustix::io::fcntl_getfd(descriptor) {
        Ok(flags) if flags.contains(rustix::io::FdFlags::CLOEXEC) => "close-on-exec",
        _ => "inherited",
    }
}

#[cfg(not(unix))]
fn inherited_by_children(_: &listen::ListenFd) -> &'static str {
    "inherited"
}
