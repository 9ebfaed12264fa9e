//! No text makes the parser of environment files panic; what it reads has names that a system takes, and an error is at a place
//! of the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use winddown_core::environment::{Template, parse};

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(variables) => {
            for (name, value) in variables {
                assert!(!name.is_empty() && !name.contains('='), "{name:?}");
                assert!(!name.contains('\0') && !value.contains('\0'));
            }
        }
        Err(error) => {
            let line = text.split('\n').nth(error.line - 1).expect("a line");
            assert!(error.column <= line.chars().count() + 1, "{error}");
        }
    }
    if let Ok(template) = text.parse::<Template>() {
        assert_eq!(template.to_string().parse(), Ok(template));
    }
});
