//! Documents that are made from the code. `cargo xtask generate` writes them; a stale one fails the test here.

mod command_line;
mod control_map;
mod schema;
mod state_table;

use std::fs;
use std::path::Path;

/// Set, it makes the test write the files instead of comparing them.
const WRITE: &str = "WINDDOWN_GENERATE";

/// Each document: its path in the workspace, and what it must say.
fn documents() -> Vec<(&'static str, String)> {
    vec![
        ("docs/state-table.md", state_table::page()),
        ("docs/control-map.md", control_map::page()),
        // What `crates/winddown` shows in its own documentation has to lie inside the crate.
        ("crates/winddown/src/control-map.md", control_map::table()),
        ("docs/cli.md", command_line::page()),
        ("docs/schema/definition.json", schema::definition()),
        ("docs/schema/report.json", schema::report()),
        ("docs/schema/rehearsal.json", schema::rehearsal()),
        ("docs/schema/history.json", schema::history()),
        (
            "docs/schema/control-request.json",
            schema::control_request(),
        ),
        ("docs/schema/control-answer.json", schema::control_answer()),
        ("docs/schema/host.json", schema::host()),
    ]
}

/// The first line of a generated page.
fn made_from(source: &str) -> String {
    format!("<!-- Made from {source} by `cargo xtask generate`. -->\n\n")
}

#[test]
fn generated_documents_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let write = std::env::var_os(WRITE).is_some();
    let mut stale = Vec::new();
    for (path, wanted) in documents() {
        let file = root.join(path);
        if fs::read_to_string(&file).is_ok_and(|found| found == wanted) {
            continue;
        }
        if write {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, wanted).unwrap();
        } else {
            stale.push(path);
        }
    }
    assert!(
        stale.is_empty(),
        "stale, write them with `cargo xtask generate`: {stale:?}"
    );
}
