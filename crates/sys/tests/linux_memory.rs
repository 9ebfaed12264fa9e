//! What a process that waits gives back. Alone in its file, as other tests of the process would take pages again.
#![cfg(target_os = "linux")]

use winddown_sys::memory;

#[test]
fn code_is_given_back_and_taken_again() {
    let before = resident_file_kb();
    memory::give_back_code();
    let after = resident_file_kb();
    assert!(after < before / 2, "{before} kB before, {after} kB after");
}

/// How much of files this process has in memory.
fn resident_file_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssFile:"));
    let kb = line.and_then(|line| line.split_whitespace().next());
    kb.and_then(|kb| kb.parse().ok()).expect("RssFile in kB")
}
