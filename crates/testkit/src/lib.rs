//! Test how a program stops: a fake Service Control Manager, a clock that tests move, programs that stop badly, and a census
//! of what a test left running.
//!
//! | For | Use | Works on |
//! |---|---|---|
//! | a Windows service, tested anywhere | [`FakeScm`] | every system |
//! | limits, without waiting for them | [`FakeClock`] | every system |
//! | a supervisor's stubborn children | [`stubborn_program`] | Unix; Windows in part |
//! | proof that nothing is left running | [`Census`] | Linux |
//! | tests that hang | [`Watchdog`] | every system |
//!
//! # A Windows service, tested anywhere
//!
//! A service makes its calls through [`Scm`](winddown_core::scm::Scm). Here a small one is written straight against it;
//! what is under test is that it stops by the rules.
//!
//! ```
//! use std::sync::mpsc::{self, Receiver, Sender};
//! use std::sync::{Arc, Mutex};
//! use std::time::Duration;
//!
//! use winddown_core::scm::{Accepted, Control, Scm, ServiceProgram, ServiceState, ServiceStatus, code};
//! use winddown_testkit::scm::ProcessEnd;
//! use winddown_testkit::{FakeClock, FakeScm, Watchdog};
//!
//! struct Orders {
//!     scm: Arc<dyn Scm>,
//!     asked: Sender<()>,
//!     stop: Mutex<Receiver<()>>,
//! }
//!
//! impl ServiceProgram for Orders {
//!     fn service_main(&self, _arguments: Vec<String>) {
//!         let running = ServiceStatus {
//!             accepted: Accepted::STOP,
//!             ..ServiceStatus::of(ServiceState::Running)
//!         };
//!         self.scm.set_status(running).unwrap();
//!         self.stop.lock().unwrap().recv().unwrap();
//!         let stopping = ServiceStatus {
//!             checkpoint: 1,
//!             wait_hint: Duration::from_secs(5),
//!             ..ServiceStatus::of(ServiceState::StopPending)
//!         };
//!         self.scm.set_status(stopping).unwrap();
//!         // ... finish the work ...
//!         self.scm.set_status(ServiceStatus::of(ServiceState::Stopped)).unwrap();
//!     }
//!
//!     fn control(&self, control: Control) -> u32 {
//!         match control {
//!             Control::Stop => {
//!                 self.asked.send(()).unwrap();
//!                 code::NO_ERROR
//!             }
//!             Control::Interrogate => code::NO_ERROR,
//!             _ => code::ERROR_CALL_NOT_IMPLEMENTED,
//!         }
//!     }
//! }
//!
//! /// The main function of the service's process; in production it is given the SCM of Windows.
//! fn process(scm: Arc<dyn Scm>) {
//!     let (asked, stop) = mpsc::channel();
//!     let stop = Mutex::new(stop);
//!     let program = Orders { scm: Arc::clone(&scm), asked, stop };
//!     scm.run("orders", Arc::new(program)).unwrap();
//! }
//!
//! let _watchdog = Watchdog::arm(Duration::from_secs(60));
//! let scm = FakeScm::new(&FakeClock::new());
//! scm.service("orders", process);
//!
//! scm.start("orders", &[])?;
//! scm.wait_for_state("orders", ServiceState::Running);
//! assert_eq!(scm.control("orders", Control::Pause), Err(code::ERROR_INVALID_SERVICE_CONTROL));
//!
//! scm.control("orders", Control::Stop)?;
//! let status = scm.wait_for_state("orders", ServiceState::Stopped);
//! assert_eq!(status.exit_code, code::NO_ERROR);
//! assert_eq!(scm.wait_for_exit("orders"), ProcessEnd::Returned);
//!
//! // What the real SCM would let pass, or hang or crash on, is noted.
//! assert_eq!(scm.violations(), []);
//! assert_eq!(scm.hung(), []);
//! # Ok::<(), u32>(())
//! ```
//!
//! # A program and what it leaves behind
//!
//! ```no_run
//! use std::process::Command;
//! use std::time::Duration;
//!
//! use winddown_testkit::{Census, Watchdog, stubborn_program};
//!
//! let _watchdog = Watchdog::arm(Duration::from_secs(30));
//! let census = Census::begin();
//! let mut supervisor = Command::new("my-supervisor");
//! supervisor.arg("--").arg(stubborn_program()).arg("double-forks");
//! let mut supervisor = census.mark(&mut supervisor).spawn()?;
//! // ... ask it to stop ...
//! supervisor.wait()?;
//! census.assert_empty();
//! # Ok::<(), std::io::Error>(())
//! ```

mod census;
mod clock;
pub mod scm;
mod stubborn;
mod watchdog;

pub use census::{Census, Survivor};
pub use clock::FakeClock;
pub use scm::FakeScm;
pub use stubborn::stubborn_program;
pub use watchdog::Watchdog;
