//! Databases that winddown stops while they are written to: what they have acknowledged is there after each stop.
#![cfg(target_os = "linux")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use support::services::Running;
use support::{Place, find, free_port, postgresql, until};
use winddown_core::report::Verdict;

const STOPS: usize = 50;

/// Adds a number to what a database keeps; whether that was acknowledged. If not, the session is over.
type Session = Box<dyn FnMut(usize) -> bool>;

/// A database that keeps numbers.
trait Database: Send + Sync + 'static {
    /// Makes the place for the numbers.
    fn prepare(&self) {}

    /// Nothing where it takes no sessions.
    fn open(&self) -> Option<Session>;

    /// All numbers, in their order.
    fn all(&self) -> Vec<usize>;
}

/// Adds numbers from `next` on until the database takes no more; `acknowledged` is the last one that it has.
fn write(database: &impl Database, mut next: usize, acknowledged: &AtomicUsize) {
    while let Some(mut add) = database.open() {
        // Who shuts down smartly waits for the end of sessions.
        for _ in 0..20 {
            if !add(next) {
                return;
            }
            acknowledged.store(next, Ordering::Release);
            next += 1;
        }
    }
}

/// Restarts `db` so often, each time in the midst of writes.
fn stop_while_it_is_written_to(place: Place, definition: &str, database: impl Database) {
    place.write("winddown.toml", definition);
    let arguments = ["--config", "winddown.toml", "--control", "control/socket"];
    let running = Running::start_in(place, &arguments);
    until("the control socket", || {
        let socket = running.place.path("control/socket");
        socket.exists().then_some(())
    });
    // Waits until it is ready.
    let end = running.ask(&["start", "db"]);
    assert_eq!(end.code(), Some(0), "{end:#?}");

    database.prepare();
    let database = Arc::new(database);
    let mut written = 0;
    for _ in 0..STOPS {
        let acknowledged = Arc::new(AtomicUsize::new(written));
        let (its, count) = (Arc::clone(&database), Arc::clone(&acknowledged));
        let writer = thread::spawn(move || write(&*its, written + 1, &count));
        let so_far = || acknowledged.load(Ordering::Acquire);
        until("writes", || (so_far() >= written + 10).then_some(()));
        let end = running.ask(&["restart", "db"]);
        assert_eq!(end.code(), Some(0), "{end:#?}");
        writer.join().unwrap();
        let all = database.all();
        let whole = all.iter().copied().eq(1..=all.len());
        // The last one may have been written without anybody having heard of it.
        let last = so_far()..=so_far() + 1;
        assert!(whole && last.contains(&all.len()), "{last:?}: {all:?}");
        written = all.len();
    }
    println!("{STOPS} stops, {written} numbers, none is missing");

    let over = running.stop();
    assert_eq!(over.reports.len(), STOPS + 1, "{over:#?}");
    let mut reports = over.reports.iter();
    assert!(
        reports.all(|report| report.verdict == Verdict::Graceful),
        "{over:#?}"
    );
}

struct Redis {
    port: String,
}

impl Redis {
    fn connect(&self) -> Option<BufReader<TcpStream>> {
        let stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).ok()?;
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        Some(BufReader::new(stream))
    }
}

impl Database for Redis {
    fn open(&self) -> Option<Session> {
        let mut stream = self.connect()?;
        Some(Box::new(move |number| {
            let mut answer = String::new();
            let ask = format!("RPUSH numbers {number}\r\n");
            let asked = stream.get_mut().write_all(ask.as_bytes());
            let answered = asked.and_then(|()| stream.read_line(&mut answer));
            answered.is_ok() && answer == format!(":{number}\r\n")
        }))
    }

    fn all(&self) -> Vec<usize> {
        let mut stream = self.connect().unwrap();
        let ask = b"LRANGE numbers 0 -1\r\nQUIT\r\n";
        stream.get_mut().write_all(ask).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        // Beside the numbers there are `*2`, how many there are, `$1`, how long the next one is, and `+OK`.
        let lines = answer.lines();
        let numbers = lines.filter(|line| !line.starts_with(['*', '$', '+']));
        numbers.map(|number| number.parse().unwrap()).collect()
    }
}

#[test]
fn wd_90_redis_keeps_what_it_has_acknowledged() {
    let Some(server) = find("redis-server") else {
        return;
    };
    let (place, port) = (Place::new(), free_port());
    let directory = place.directory.path();
    let definition = format!(
        "[service.db]\n\
         command = [{server:?}, \"--bind\", \"127.0.0.1\", \"--port\", \"{port}\", \"--dir\", {directory:?}, \
         \"--appendonly\", \"yes\", \"--hz\", \"100\", \"--save\", \"\"]\n\
         logs = {{ file = \"redis.log\" }}\n\
         ready = {{ log = \"Ready to accept connections\" }}\n"
    );
    stop_while_it_is_written_to(place, &definition, Redis { port });
}

struct Postgresql {
    psql: PathBuf,
    port: String,
}

impl Postgresql {
    fn psql(&self) -> Command {
        let mut psql = Command::new(&self.psql);
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .args(["--host=127.0.0.1", "--username=postgres", "--port"])
            .arg(&self.port)
            .stderr(Stdio::null());
        psql
    }

    fn ask(&self, query: &str) -> String {
        let answer = self.psql().args(["--command", query]).output().unwrap();
        assert!(answer.status.success(), "{query}: {answer:?}");
        String::from_utf8(answer.stdout).unwrap()
    }
}

impl Database for Postgresql {
    fn prepare(&self) {
        self.ask("create table numbers (number integer);");
    }

    fn open(&self) -> Option<Session> {
        let mut psql = self.psql();
        psql.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut psql = Psql(psql.spawn().unwrap());
        let mut answers = BufReader::new(psql.0.stdout.take().unwrap());
        let mut ask = move |query: String| {
            let mut answer = String::new();
            let asked = writeln!(psql.0.stdin.as_ref().unwrap(), "{query}");
            let answered = asked.and_then(|()| answers.read_line(&mut answer));
            answered.is_ok().then_some(answer)
        };
        (ask("select 'open';".to_owned())? == "open\n").then_some(())?;
        Some(Box::new(move |number| {
            let answer = ask(format!(
                "insert into numbers values ({number}) returning number;"
            ));
            answer == Some(format!("{number}\n"))
        }))
    }

    fn all(&self) -> Vec<usize> {
        let numbers = self.ask("select number from numbers order by number;");
        let numbers = numbers.lines();
        numbers.map(|number| number.parse().unwrap()).collect()
    }
}

/// A session, which ends with its standard input.
struct Psql(Child);

impl Drop for Psql {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// PostgreSQL, stopped so.
fn postgresql_keeps_what_it_has_acknowledged(stop: &str) {
    let Some(server) = postgresql::find() else {
        return;
    };
    let (place, port) = (Place::new(), free_port());
    postgresql::make(&place, &server);
    let command = postgresql::command(&place, &server, &port);
    let user = postgresql::user().map_or(String::new(), |user| format!("user = {user:?}\n"));
    let definition = format!(
        "[service.db]\ncommand = {command:?}\n{user}stop = {{ {stop} }}\n\
         ready = {{ log = \"ready to accept connections\" }}\n"
    );
    let psql = server.with_file_name("psql");
    stop_while_it_is_written_to(place, &definition, Postgresql { psql, port });
}

#[test]
fn wd_98_postgresql_keeps_what_it_has_acknowledged_in_a_fast_shutdown() {
    postgresql_keeps_what_it_has_acknowledged("signal = \"INT\"");
}

#[test]
fn wd_98_postgresql_keeps_what_it_has_acknowledged_in_a_smart_shutdown() {
    postgresql_keeps_what_it_has_acknowledged("signal = \"TERM\"");
}
