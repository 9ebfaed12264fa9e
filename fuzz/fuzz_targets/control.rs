//! No bytes make the parser of control requests panic, and what it reads it writes and reads back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use winddown_run::control::Request;

fuzz_target!(|line: &[u8]| match Request::parse(line) {
    Ok(request) => {
        let written = request.line();
        assert_eq!(written.matches('\n').count(), 1, "{written:?}");
        assert_eq!(Request::parse(written.as_bytes()), Ok(request), "{written:?}");
    }
    Err(answer) => assert!(answer.is_last()),
});
