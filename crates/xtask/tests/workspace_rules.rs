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
