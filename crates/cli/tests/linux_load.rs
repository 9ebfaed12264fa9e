//! HTTP services under load: `winddown restart` where winddown keeps the sockets (WD-143), and a stop by a server's own graceful signal.
//!
//! `wrk` has a request under way on every connection all the time. On a connection that it keeps, that request fails if the server closes
//! without having said so, where other clients would try again; so the server says `Connection: close` once it stops, or always.
#![cfg(target_os = "linux")]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use support::services::Running;
use support::{End, Place, Signal, WINDDOWN, find, free_port, send, until};
use winddown_core::report::{StopReport, Verdict};

const CLOSE: &str = "Connection: close";
const KEEP: &str = "Connection: keep-alive";

/// As `wrk` says it at its end.
const SUMMARY: &str = r#"
done = function(summary)
  local failed = summary.errors
  io.write(string.format("requests %d\nfailed %d %d %d %d %d\n", summary.requests,
    failed.connect, failed.read, failed.write, failed.timeout, failed.status))
end
"#;

/// nginx in the foreground, at `PORT`, with files from its directory at 1 MiB a second for each.
const NGINX: &str = r#"
daemon off;
pid nginx.pid;
error_log stderr notice;
worker_processes 2;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 127.0.0.1:PORT;
    location / { return 200 "ok\n"; }
    location /files/ { root .; limit_rate 1m; }
  }
}
"#;

/// `wrk`, until it is ended.
struct Load(Child);

impl Load {
    fn begin(place: &Place, wrk: &Path, port: &str, header: &str) -> Self {
        place.write("summary.lua", SUMMARY);
        let url = format!("http://127.0.0.1:{port}/");
        let mut command = place.command(wrk, ["--threads=1", "--connections=16"]);
        command
            .args(["--duration=90s", "--timeout=30s", "--script=summary.lua"])
            .args(["--header", header, &url])
            .stdout(File::create(place.path("wrk")).unwrap());
        Self(command.spawn().unwrap())
    }

    /// How often it asked.
    #[track_caller]
    fn end_without_a_failure(self, place: &Place) -> usize {
        send(&self.0, Signal::INT);
        End::of(self.0);
        let said = std::fs::read_to_string(place.path("wrk")).unwrap();
        let line = |name: &str| {
            let mut lines = said.lines();
            let line = lines.find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name}: {said}"))
        };
        assert_eq!(line("failed "), "0 0 0 0 0", "{said}");
        line("requests ").parse().unwrap()
    }
}

/// Restarts a service, so often each way, under load with this header; winddown has its socket at `port`.
fn restart_under_load(place: Place, definition: &str, port: &str, header: &str, times: usize) {
    let Some(wrk) = find("wrk") else {
        return;
    };
    let listen = format!("listen = [{{ address = \"127.0.0.1:{port}\" }}]");
    place.write(
        "winddown.toml",
        &format!("[service.web]\n{listen}\n{definition}"),
    );
    let arguments = ["--config", "winddown.toml", "--control", "control/socket"];
    let running = Running::start_in(place, &arguments);
    until("the control socket", || {
        let socket = running.place.path("control/socket");
        socket.exists().then_some(())
    });
    // Waits until it is ready.
    let end = running.ask(&["start", "web"]);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    for way in [&["restart", "web"][..], &["restart", "--overlap", "web"]] {
        let load = Load::begin(&running.place, &wrk, port, header);
        for _ in 0..times {
            let end = running.ask(way);
            assert_eq!(end.code(), Some(0), "{end:#?}");
        }
        let asked = load.end_without_a_failure(&running.place);
        assert!(asked > times, "{asked} requests are no load");
        println!("{way:?} {times} times: {asked} requests, none failed");
    }
    let over = running.stop();
    assert!(over.reports.iter().all(is_graceful), "{over:#?}");
    assert_eq!(over.reports.len(), 2 * times + 1, "{over:#?}");
}

fn is_graceful(report: &StopReport) -> bool {
    report.verdict == Verdict::Graceful
}

#[test]
fn wd_143_restarts_of_a_program_of_the_library_fail_no_request() {
    let shop = Path::new(WINDDOWN).with_file_name("examples").join("shop");
    let definition = format!("command = [{shop:?}]\nready = {{ when = \"notify\" }}");
    restart_under_load(Place::new(), &definition, &free_port(), CLOSE, 20);
}

#[test]
fn wd_143_restarts_of_uvicorn_fail_no_request() {
    for header in [CLOSE, KEEP] {
        let Some(python) = uvicorn() else {
            return;
        };
        let (place, port) = (Place::new(), free_port());
        place.write("drain.py", include_str!("programs/drain.py"));
        // What answers on the socket may be the one that is to be replaced.
        let definition = format!(
            "command = [{python:?}, \"drain.py\"]\nready = {{ log = \"Uvicorn running\" }}"
        );
        restart_under_load(place, &definition, &port, header, 4);
    }
}

/// The Python for which Debian's package has installed uvicorn.
fn uvicorn() -> Option<PathBuf> {
    find("uvicorn").map(|_| PathBuf::from("/usr/bin/python3"))
}

/// nginx takes sockets under a name of its own. It closes connections that it keeps without saying so. Asked to stop right after its first
/// answer it may hang; a line of its log is the better sign.
#[test]
fn wd_143_restarts_of_nginx_fail_no_request() {
    let Some(nginx) = find("nginx") else {
        return;
    };
    let (place, port) = (Place::new(), free_port());
    let definition = serve_files(&place, &nginx, &port)
        + "environment = { NGINX = \"3;\" }\nready = { log = \"start worker process \" }\n";
    restart_under_load(place, &definition, &port, CLOSE, 20);
}

/// nginx that is stopped by its graceful signal.
fn serve_files(place: &Place, nginx: &Path, port: &str) -> String {
    place.write("nginx.conf", &NGINX.replace("PORT", port));
    let directory = place.directory.path();
    format!(
        "command = [{nginx:?}, \"-p\", {directory:?}, \"-c\", \"nginx.conf\"]\nstop = {{ signal = \"QUIT\" }}\n"
    )
}

#[test]
fn wd_98_nginx_ends_by_its_graceful_signal_after_the_last_download() {
    let Some(nginx) = find("nginx") else {
        return;
    };
    const LENGTH: usize = 3 << 20;
    const DOWNLOADS: usize = 24;
    let (place, port) = (Place::new(), free_port());
    std::fs::create_dir(place.path("files")).unwrap();
    std::fs::write(place.path("files/large"), vec![b'x'; LENGTH]).unwrap();
    let definition = serve_files(&place, &nginx, &port);
    place.write("winddown.toml", &definition);
    let running = Running::start_in(place, &["--config", "winddown.toml"]);
    until("nginx", || ask(&port, "/").ok());

    // Quick requests come and go all the time, until nobody listens any more.
    let (port, other) = (port.clone(), port);
    let quick = thread::spawn(move || {
        let mut answered = 0;
        for _ in 0..1_000_000 {
            match ask(&other, "/") {
                Ok(answer) if answer.is_empty() => break,
                Ok(answer) => assert!(answer.ends_with(b"\r\n\r\nok\n"), "torn: {answer:?}"),
                // Not accepted, or not read.
                Err(_) => break,
            }
            answered += 1;
        }
        answered
    });
    let (begun, beginnings) = mpsc::channel();
    let downloads: Vec<_> = (0..DOWNLOADS)
        .map(|_| {
            let (port, begun) = (port.clone(), begun.clone());
            thread::spawn(move || {
                let mut stream = request(&port, "/files/large").unwrap();
                let mut answer = vec![0; 1000];
                stream.read_exact(&mut answer).unwrap();
                begun.send(()).unwrap();
                stream.read_to_end(&mut answer).unwrap();
                let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
                answer.len() - head.unwrap() - 4
            })
        })
        .collect();
    for _ in 0..DOWNLOADS {
        beginnings.recv().unwrap();
    }

    let over = running.stop();
    assert!(over.reports.iter().all(is_graceful), "{over:#?}");
    assert_eq!(over.reports[0].ladder[0].rung, "signal QUIT");
    for download in downloads {
        assert_eq!(download.join().unwrap(), LENGTH);
    }
    assert!(quick.join().unwrap() > 0);
    // That it is whole says that nginx was given the time.
    assert!(over.reports[0].seconds > 1.0, "{over:#?}");
}

/// Asks by a connection of its own.
fn request(port: &str, path: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    Ok(stream)
}

fn ask(port: &str, path: &str) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    match request(port, path)?.read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(answer),
    }
}
