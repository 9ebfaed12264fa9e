//! No datagram makes the parser of notifications panic, and no text sent as a status is read as anything else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use winddown_core::notify::{Message, Notification, parse};

fuzz_target!(|datagram: &[u8]| {
    let _ = parse(datagram);
    let text = String::from_utf8_lossy(datagram);
    let read = parse(Message::Status(&text).to_string().as_bytes()).expect("it is well-formed");
    let mut status = Notification::default();
    status.status.clone_from(&read.status);
    assert!(read.status.is_some());
    assert_eq!(read, status, "{text:?}");
});
