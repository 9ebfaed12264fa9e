//! What the tests of whole programs share: an example in a process of its own, and clients of the shop.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod client;
pub(crate) mod notified;
pub(crate) mod program;
pub(crate) mod terminal;
pub(crate) mod unit;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// After this a test has failed, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The example `name`, which `cargo build --examples` puts beside the directory of the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a test knows its own executable");
    let examples = test.parent().unwrap().with_file_name("examples");
    let program = examples.join(name);
    assert!(
        program.is_file(),
        "{name} is not built: run `cargo build -p winddown --examples` first"
    );
    program
}
