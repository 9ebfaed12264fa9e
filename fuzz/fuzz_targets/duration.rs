//! No text makes the parser of durations panic, and what it reads is written in a form that it reads
//! back, to the millisecond.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use winddown_core::{format_duration, parse_duration};

fuzz_target!(|text: &str| {
    if let Ok(duration) = parse_duration(text) {
        let written = format_duration(duration).to_string();
        let read = parse_duration(&written).expect("what was written is read");
        assert!(
            // The parser computes in floating point.
            read.abs_diff(duration) < Duration::from_millis(2),
            "{text:?} -> {written:?}"
        );
    }
});
