//! Rules of the workspace that no lint knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Rust sources of the crates that `wanted` names, in the directories `parts` of each.
fn sources(wanted: impl Fn(&str) -> bool, parts: &[&str]) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let entry = entry.unwrap();
        if wanted(entry.file_name().to_str().unwrap()) {
            for part in parts {
                collect(&entry.path().join(part), &mut files);
            }
        }
    }
    files
}

fn collect(directory: &Path, files: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
}

#[test]
fn only_sys_names_operating_systems() {
    let names_a_system = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        code.contains("std::os::")
            || (code.contains("cfg")
                && ["unix", "windows", "target_os", "target_family"]
                    .iter()
                    .any(|word| code.contains(word)))
    };
    let found: Vec<_> = sources(|name| name != "sys" && name != "xtask", &["src"])
        .into_iter()
        .flat_map(|(path, text)| {
            text.lines()
                .enumerate()
                .filter(|(_, line)| names_a_system(line))
                .map(|(at, line)| format!("{}:{}: {line}", path.display(), at + 1))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(
        found.is_empty(),
        "move to crates/sys:\n{}",
        found.join("\n")
    );
}

#[test]
fn every_dependency_has_its_reason() {
    let reasons = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let dependencies: BTreeSet<String> = ["Cargo.toml", "fuzz/Cargo.toml"]
        .iter()
        .flat_map(|manifest| dependencies(manifest))
        .collect();
    assert!(dependencies.len() > 10, "{dependencies:?}");
    let missing: Vec<_> = dependencies
        .iter()
        .filter(|name| !reasons.contains(&format!("`{name}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "not in docs/dependencies.md: {missing:?}"
    );
}

#[test]
fn every_rule_has_a_test_that_names_it() {
    let spec = fs::read_to_string(root().join("docs/spec.md")).unwrap();
    let rules: Vec<&str> = spec
        .split("**WD-")
        .skip(1)
        .filter_map(|rest| rest.split("**").next())
        .collect();
    assert!(rules.len() > 50, "{rules:?}");
    let named: BTreeSet<String> = tests()
        .iter()
        .flat_map(|text| [numbers(text, "wd_"), numbers(text, "WD-")])
        .flatten()
        .collect();
    let missing: Vec<_> = rules
        .iter()
        .filter(|rule| !named.contains(**rule))
        .collect();
    assert!(missing.is_empty(), "no test names WD-{missing:?}");
    let unknown: Vec<_> = named
        .iter()
        .filter(|number| !rules.contains(&number.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "not in docs/spec.md, but named by a test: WD-{unknown:?}"
    );
}

#[test]
fn every_row_of_the_comparison_names_what_shows_it() {
    let comparison = fs::read_to_string(root().join("docs/comparison.md")).unwrap();
    let rules = fs::read_to_string(root().join("docs/spec.md")).unwrap();
    let files: Vec<_> = sources(|_| true, &["tests"]);
    let is_test = |name: &str| {
        let function = format!("fn {name}(");
        files.iter().any(|(path, text)| {
            path.file_stem().is_some_and(|stem| stem == name) || text.contains(&function)
        })
    };
    let mut rows = 0;
    let mut wrong = Vec::new();
    for row in comparison.lines().filter(|line| line.contains("| **")) {
        rows += 1;
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (feature, ours, shown) = (cells[0], cells[1], cells[cells.len() - 1]);
        let named = numbers(shown, "WD-");
        let tests = shown.split('`').skip(1).step_by(2);
        let tests: Vec<_> = tests.filter(|word| word.contains('_')).collect();
        let is_there = named
            .iter()
            .all(|rule| rules.contains(&format!("**WD-{rule}**")))
            && tests.iter().all(|name| is_test(name));
        let is_shown = !named.is_empty() || !tests.is_empty();
        let is_explained = ours == "**no**" && !shown.is_empty();
        if !is_there || !(is_shown || is_explained) {
            wrong.push(format!("{feature}: {shown}"));
        }
    }
    assert!(rows > 60, "{rows} rows");
    assert!(wrong.is_empty(), "in docs/comparison.md: {wrong:#?}");
}

#[test]
fn every_source_file_that_a_document_names_is_there() {
    let files = sources(|_| true, &["src", "tests", "examples"]);
    let documents = ["", "docs"].into_iter().flat_map(|directory| {
        let entries = fs::read_dir(root().join(directory)).unwrap();
        entries.map(|entry| entry.unwrap().path())
    });
    let mut named = 0;
    let mut missing = Vec::new();
    for document in documents.filter(|path| path.extension().is_some_and(|it| it == "md")) {
        let text = fs::read_to_string(&document).unwrap();
        let words = text.split(|c: char| c.is_whitespace() || "`()[]|,;:".contains(c));
        for word in words.filter(|word| word.ends_with(".rs") && !word.contains('*')) {
            named += 1;
            if !files.iter().any(|(path, _)| path.ends_with(word)) {
                missing.push(format!("{}: {word}", document.display()));
            }
        }
    }
    assert!(named > 20, "{named} names");
    assert!(missing.is_empty(), "there is no such file: {missing:#?}");
}

/// What is a test: every file in a `tests` directory, and in `src` what follows `#[cfg(test)]` and files called `tests.rs`.
fn tests() -> Vec<String> {
    let in_src = sources(|name| name != "xtask", &["src"])
        .into_iter()
        .filter_map(|(path, text)| {
            if path.ends_with("tests.rs") {
                return Some(text);
            }
            let tests = text.find("#[cfg(test)]\nmod tests")?;
            Some(text[tests..].to_owned())
        });
    sources(|name| name != "xtask", &["tests"])
        .into_iter()
        .map(|(_, text)| text)
        .chain(in_src)
        .collect()
}

/// The numbers that follow `prefix` in `text`.
fn numbers(text: &str, prefix: &str) -> Vec<String> {
    text.split(prefix)
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect())
        .filter(|number: &String| !number.is_empty())
        .collect()
}

/// The names of what the packages of a workspace depend on, without their own.
fn dependencies(manifest: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version=1",
            "--manifest-path",
        ])
        .arg(root().join(manifest))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|package| package["dependencies"].as_array().unwrap())
        .filter(|dependency| dependency["path"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect()
}
