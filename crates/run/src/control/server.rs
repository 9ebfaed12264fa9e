//! The end of a control socket that winddown listens at: no client can hold up the loop, and none can make it grow.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use winddown_core::{Mechanism, Origin, Timestamp};
use winddown_sys::local_socket::{LocalListener, LocalStream};
use winddown_sys::{Waitable, signal};

use super::protocol::{Answer, MAX_REQUEST, Refusal, Request};
use crate::error::Error;

/// How many clients there are at most. One more takes the place of the one that has been idle for longest.
const MOST_CLIENTS: usize = 64;
/// How long a client may take to ask, or to take its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much may wait for a client that follows before it gets no more.
const ENOUGH: usize = 256 * 1024;
/// How long no client is let in when the system refuses to.
const PAUSE: Duration = Duration::from_secs(1);

/// A client, for as long as it is connected.
pub(crate) type ClientId = u64;

/// A control socket and its clients.
pub(crate) struct Server {
    listener: LocalListener,
    paused_until: Option<Timestamp>,
    clients: BTreeMap<ClientId, Client>,
    next: ClientId,
}

struct Client {
    stream: LocalStream,
    received: Vec<u8>,
    /// Whether its request has yet to be answered.
    busy: bool,
    /// Whether its request goes on until it leaves.
    follows: bool,
    /// Whether it will send nothing more.
    ended: bool,
    /// Whether it is to go as soon as it has its answer.
    leaving: bool,
    /// When it last asked, or took something.
    active: Timestamp,
}

impl Server {
    pub(crate) fn bind(address: &Path) -> Result<Self, Error> {
        Ok(Self {
            listener: LocalListener::bind(address)?,
            paused_until: None,
            clients: BTreeMap::new(),
            next: 0,
        })
    }

    /// What to wait for.
    pub(crate) fn sources(&self) -> Vec<&dyn Waitable> {
        let listener = match (self.paused_until, self.has_room()) {
            (None, true) => Some(&self.listener as &dyn Waitable),
            _ => None,
        };
        let clients = self.clients.values();
        let clients = clients.filter(|client| !client.ended || client.stream.unsent() > 0);
        let clients = clients.map(|client| &client.stream as &dyn Waitable);
        listener.into_iter().chain(clients).collect()
    }

    /// When to call [`Server::receive`] again at the latest.
    pub(crate) fn due(&self) -> Timestamp {
        let due = self.clients.values().filter_map(Client::due);
        due.chain(self.paused_until)
            .min()
            .unwrap_or(Timestamp::NEVER)
    }

    /// Takes what has arrived: at most one request of each client, and none while its last one is not answered.
    pub(crate) fn receive(&mut self, now: Timestamp) -> Vec<(ClientId, Origin, Request)> {
        self.accept(now);
        let mut requests = Vec::new();
        self.clients.retain(|id, client| {
            let stays = client.advance(now);
            if let Some(request) = client.request(now) {
                requests.push((*id, client.origin(&request), request));
            }
            stays && !client.is_done() && client.due().is_none_or(|due| now < due)
        });
        requests
    }

    /// Answers a client, if it is there still.
    pub(crate) fn answer(&mut self, id: ClientId, answer: &Answer, now: Timestamp) {
        if let Some(client) = self.clients.get_mut(&id) {
            if !client.answer(answer, now) {
                self.clients.remove(&id);
            }
        }
    }

    /// Lets a client take its answers as slowly as it likes, and for as long as it stays.
    pub(crate) fn let_follow(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.follows = true;
        }
    }

    /// Whether a client is there that can take more; `None` once it has left.
    pub(crate) fn takes_more(&self, id: ClientId) -> Option<bool> {
        let client = self.clients.get(&id).filter(|client| !client.ended)?;
        Some(client.stream.unsent() < ENOUGH)
    }

    /// Cuts a client off.
    pub(crate) fn remove(&mut self, id: ClientId) {
        self.clients.remove(&id);
    }

    fn has_room(&self) -> bool {
        self.clients.len() < MOST_CLIENTS || self.longest_idle().is_some()
    }

    fn longest_idle(&self) -> Option<ClientId> {
        let idle = self.clients.iter().filter(|(_, client)| !client.busy);
        let (id, _) = idle.min_by_key(|(_, client)| client.active)?;
        Some(*id)
    }

    fn accept(&mut self, now: Timestamp) {
        if self.paused_until.is_some_and(|until| now < until) {
            return;
        }
        self.paused_until = None;
        for _ in 0..MOST_CLIENTS {
            if !self.has_room() {
                return;
            }
            match self.listener.accept() {
                Ok(Some(stream)) => self.admit(stream, now),
                Ok(None) => return,
                Err(_) => {
                    self.paused_until = Some(now + PAUSE);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, stream: LocalStream, now: Timestamp) {
        if self.clients.len() >= MOST_CLIENTS {
            if let Some(idle) = self.longest_idle() {
                self.clients.remove(&idle);
            }
        }
        let is_trusted = stream.peer().is_trusted;
        let mut client = Client {
            stream,
            received: Vec::new(),
            busy: false,
            follows: false,
            ended: false,
            leaving: false,
            active: now,
        };
        if !is_trusted {
            let what = "only root and the user whom winddown runs as may control it";
            client.answer(&Answer::error(Refusal::NotPermitted, what), now);
            return;
        }
        self.next += 1;
        self.clients.insert(self.next, client);
    }
}

impl Client {
    /// Lets go what can go and takes what has come; whether the connection is of use.
    fn advance(&mut self, now: Timestamp) -> bool {
        let unsent = self.stream.unsent();
        if unsent > 0 {
            if self.stream.send(&[]).is_err() {
                return false;
            }
            if self.stream.unsent() < unsent {
                self.active = now;
            }
        }
        if !self.ended {
            match self.stream.receive(&mut self.received) {
                Ok(open) => self.ended = !open,
                Err(_) => return false,
            }
        }
        if self.received.len() > MAX_REQUEST && !self.leaving {
            self.leaving = true;
            let what = format!("a request has at most {MAX_REQUEST} bytes");
            return self.answer(&Answer::error(Refusal::Malformed, what), now);
        }
        true
    }

    /// The next request, if there is a whole one and the last one is answered. A malformed one is answered here.
    fn request(&mut self, now: Timestamp) -> Option<Request> {
        while self.may_ask() {
            let end = self.received.iter().position(|byte| *byte == b'\n')?;
            let line: Vec<u8> = self.received.drain(..=end).collect();
            self.active = now;
            match Request::parse(&line) {
                Ok(request) => {
                    self.busy = true;
                    return Some(request);
                }
                Err(answer) => self.leaving = !self.answer(&answer, now),
            }
        }
        None
    }

    /// Whether its next request is taken.
    fn may_ask(&self) -> bool {
        !self.busy && !self.leaving && self.stream.unsent() == 0
    }

    /// Whether the connection is of use still.
    fn answer(&mut self, answer: &Answer, now: Timestamp) -> bool {
        if answer.is_last() {
            self.busy = false;
            self.follows = false;
            self.active = now;
        }
        self.stream.send(answer.line().as_bytes()).is_ok()
    }

    /// Whether it has all that it will get.
    fn is_done(&self) -> bool {
        (self.ended || self.leaving) && !self.busy && self.stream.unsent() == 0
    }

    /// When its patience ends: a client whose request is being carried out has none to lose. At once where its next request is here
    /// already, or it has all that it will get, of which nothing else tells.
    fn due(&self) -> Option<Timestamp> {
        if self.is_done() || (self.may_ask() && self.received.contains(&b'\n')) {
            return Some(Timestamp::ZERO);
        }
        let waits = !self.busy || (self.stream.unsent() > 0 && !self.follows);
        waits.then(|| self.active + PATIENCE)
    }

    fn origin(&self, request: &Request) -> Origin {
        let verb = match request {
            Request::Status { .. } => "status",
            Request::Start(_) => "start",
            Request::Stop(_) => "stop",
            Request::Restart(_) => "restart",
            Request::Reload {} => "reload",
            Request::Logs(_) => "logs",
            Request::RotateLogs { .. } => "rotate-logs",
        };
        let peer = self.stream.peer();
        Origin {
            mechanism: Mechanism::ControlSocket(verb),
            pid: peer.pid,
            uid: peer.uid,
            name: peer.pid.and_then(signal::sender_name),
        }
    }
}
