//! The threads that write.
//!
//! One thread serves all destinations for as long as each write returns soon. When one hangs (a network file system that is
//! gone, a disk that is dying, a pipe that nobody reads) while others wait, another thread is started, up to a limit, so that a
//! slow destination delays none but itself. Threads that are not needed end.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::outlet::{Next, Outlet};

/// How long work may wait for a thread before there is another one.
const PATIENCE: Duration = Duration::from_millis(100);

/// The most threads there are. So many destinations may hang before one that does not has to wait.
const MOST: usize = 16;

/// How long a thread without work stays.
const LINGER: Duration = Duration::from_secs(10);

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Outlet>>,
    /// What failed, and when it is to be tried again.
    paused: Vec<(Instant, Arc<Outlet>)>,
    threads: usize,
    idle: usize,
    /// When a thread took work, or work came to threads that had none.
    moved: Option<Instant>,
    quit: bool,
}

impl State {
    /// Makes ready what has paused long enough, and says when the next has.
    fn resume(&mut self, now: Instant) -> Option<Instant> {
        let State { ready, paused, .. } = self;
        paused.retain(|(at, outlet)| {
            let waits = *at > now;
            if !waits {
                ready.push_back(Arc::clone(outlet));
            }
            waits
        });
        paused.iter().map(|(at, _)| *at).min()
    }
}

#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has what waits in `outlet` written.
    pub(crate) fn schedule(&self, outlet: &Arc<Outlet>) {
        let mut state = self.lock();
        state.ready.push_back(Arc::clone(outlet));
        if state.ready.len() == 1 {
            state.moved = Some(Instant::now());
        }
        if state.idle > 0 {
            self.0.work.notify_one();
        } else if state.threads == 0 {
            self.start(&mut state);
        }
    }

    /// Tries what pauses after an error again at once.
    pub(crate) fn hurry(&self, outlet: &Arc<Outlet>) {
        let mut state = self.lock();
        for (at, paused) in &mut state.paused {
            if Arc::ptr_eq(paused, outlet) {
                *at = Instant::now();
            }
        }
        self.0.work.notify_one();
    }

    /// Starts another thread when work waits because every thread hangs; says when to look again.
    pub(crate) fn relieve(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.lock();
        let next = state.resume(now);
        if state.ready.is_empty() || state.idle > 0 {
            return next.filter(|_| state.idle == 0);
        }
        let hung_at = state.moved.map_or(now, |moved| moved + PATIENCE);
        if now < hung_at {
            return Some(hung_at);
        }
        if state.threads < MOST {
            self.start(&mut state);
        }
        state.moved = Some(now);
        Some(now + PATIENCE)
    }

    /// Lets the threads end once nothing is left to write.
    pub(crate) fn quit(&self) {
        self.lock().quit = true;
        self.0.work.notify_all();
    }

    fn start(&self, state: &mut State) {
        let pool = self.clone();
        let started = thread::Builder::new()
            .name("winddown-log".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || pool.work());
        // Without one, it is tried again with the next output; until then the queues hold what comes.
        state.threads += usize::from(started.is_ok());
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let next = state.resume(now);
            if let Some(outlet) = state.ready.pop_front() {
                state.moved = Some(now);
                drop(state);
                let next = outlet.work();
                state = self.lock();
                match next {
                    Next::Rest => {}
                    Next::Again => state.ready.push_back(outlet),
                    Next::At(at) => state.paused.push((at, outlet)),
                }
                continue;
            }
            let others_wait = state.idle > 0;
            if next.is_none() && (state.quit || others_wait) {
                break;
            }
            let wait = next.map_or(LINGER, |next| next.saturating_duration_since(now));
            state.idle += 1;
            let (woken, timeout) = self
                .0
                .work
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && next.is_none() && state.ready.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use jiff::Timestamp;

    use super::super::line::Output;
    use super::super::notices::Notices;
    use super::super::options::Format;
    use super::super::outlet::{Encoding, Store};
    use super::*;

    /// A store whose every write hangs until the test lets it go on.
    struct Gate {
        begun: Sender<Vec<u8>>,
        go: Receiver<io::Result<()>>,
    }

    impl Store for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(bytes.to_vec());
            self.go.recv().unwrap_or(Ok(()))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn name(&self) -> String {
            "the gate".to_owned()
        }
    }

    struct Gated {
        outlet: Arc<Outlet>,
        begun: Receiver<Vec<u8>>,
        go: Sender<io::Result<()>>,
        told: Receiver<String>,
    }

    fn gated(buffer: usize) -> Gated {
        let (begun, has_begun) = channel();
        let (go, may_go) = channel();
        let (tell, told) = channel();
        let store = Gate { begun, go: may_go };
        let warn = move |_: &str, text: &str| tell.send(text.to_owned()).unwrap();
        let notices = Arc::new(Notices::new("a", Arc::new(warn)));
        let encoding = Encoding::Text(Format::Raw);
        let outlet = Outlet::new("a", encoding, buffer, Box::new(store), notices);
        Gated {
            outlet: Arc::new(outlet),
            begun: has_begun,
            go,
            told,
        }
    }

    fn push(pool: &Pool, outlet: &Arc<Outlet>, bytes: &[u8]) {
        if outlet.push(Output::Stdout, Timestamp::now(), bytes, &mut Vec::new()) {
            pool.schedule(outlet);
        }
    }

    /// Does what the reading thread does while it has nothing to read.
    fn relieve_until<T>(pool: &Pool, mut done: impl FnMut() -> Option<T>) -> T {
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(value) = done() {
                return value;
            }
            assert!(Instant::now() < limit, "not within 20 s");
            let wait = pool.relieve().map_or(Duration::from_millis(20), |at| {
                at.saturating_duration_since(Instant::now())
            });
            thread::sleep(wait.min(Duration::from_millis(20)));
        }
    }

    #[test]
    fn wd_154_a_destination_that_hangs_holds_up_no_other() {
        let pool = Pool::default();
        let (slow, quick) = (gated(1 << 20), gated(1 << 20));
        push(&pool, &slow.outlet, b"slow\n");
        assert_eq!(slow.begun.recv().unwrap(), b"slow\n");
        push(&pool, &quick.outlet, b"quick\n");
        let begun = relieve_until(&pool, || quick.begun.try_recv().ok());
        assert_eq!(begun, b"quick\n");
        assert_eq!(pool.lock().threads, 2);
        drop((slow.go, quick.go));
        pool.quit();
        relieve_until(&pool, || (pool.lock().threads == 0).then_some(()));
    }

    #[test]
    fn one_thread_serves_many_destinations_that_do_not_hang() {
        let pool = Pool::default();
        let outlets: Vec<_> = (0..100)
            .map(|_| {
                let gated = gated(1 << 20);
                drop(gated.go);
                push(&pool, &gated.outlet, b"line\n");
                (gated.outlet, gated.begun)
            })
            .collect();
        assert_eq!(pool.lock().threads, 1);
        for (_, begun) in &outlets {
            assert_eq!(
                begun.recv_timeout(Duration::from_secs(20)).unwrap(),
                b"line\n"
            );
        }
        pool.quit();
        relieve_until(&pool, || (pool.lock().threads == 0).then_some(()));
    }

    #[test]
    fn wd_153_what_fails_is_kept_and_tried_again_and_told_of_once() {
        let pool = Pool::default();
        let gated = gated(1 << 20);
        push(&pool, &gated.outlet, b"one\n");
        for _ in 0..3 {
            assert_eq!(gated.begun.recv().unwrap(), b"one\n");
            gated
                .go
                .send(Err(io::ErrorKind::StorageFull.into()))
                .unwrap();
        }
        push(&pool, &gated.outlet, b"two\n");
        pool.hurry(&gated.outlet);
        assert_eq!(gated.begun.recv().unwrap(), b"one\n");
        gated.go.send(Ok(())).unwrap();
        assert_eq!(gated.begun.recv().unwrap(), b"two\n");
        drop(gated.go);
        let told: Vec<String> = gated.told.iter().take(2).collect();
        assert!(told[0].starts_with("cannot write the gate: "), "{told:?}");
        assert!(told[1].contains("nothing was lost"), "{told:?}");
        pool.quit();
        relieve_until(&pool, || (pool.lock().threads == 0).then_some(()));
        assert!(gated.told.try_recv().is_err());
    }

    #[test]
    fn wd_150_while_a_destination_hangs_the_oldest_is_dropped_and_marked() {
        let pool = Pool::default();
        let gated = gated(256 * 1024);
        let line = [b"0123456789".repeat(1_000), b"\n".to_vec()].concat();
        push(&pool, &gated.outlet, b"first");
        assert_eq!(gated.begun.recv().unwrap(), b"first");
        for _ in 0..100 {
            push(&pool, &gated.outlet, &line);
        }
        push(&pool, &gated.outlet, b"last\n");
        let (lost, waiting) = gated.outlet.missing();
        assert!(waiting <= 256 * 1024, "{waiting}");
        assert_eq!(lost.bytes, lost.lines * line.len() as u64);
        drop(gated.go);
        let mut written = Vec::new();
        relieve_until(&pool, || {
            written.extend(gated.begun.try_iter().flatten());
            written.ends_with(b"last\n").then_some(())
        });
        // A line of its own, though the one before it is open.
        let mark = [&b"\n"[..], &Format::Raw.lost("a", lost, Timestamp::now())].concat();
        assert!(written.starts_with(&mark), "{lost:?}");
        let kept = (written.len() - mark.len() - b"last\n".len()) as u64;
        assert_eq!(kept + lost.bytes, 100 * line.len() as u64);
        pool.quit();
        relieve_until(&pool, || (pool.lock().threads == 0).then_some(()));
    }
}
