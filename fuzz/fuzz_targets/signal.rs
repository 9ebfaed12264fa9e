//! No text makes the parser of signal names panic, and what it reads it writes and reads back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use winddown_core::Signal;

fuzz_target!(|text: &str| {
    if let Ok(signal) = text.parse::<Signal>() {
        let written = signal.to_string();
        assert_eq!(written.parse(), Ok(signal), "{text:?} -> {written:?}");
    }
});
