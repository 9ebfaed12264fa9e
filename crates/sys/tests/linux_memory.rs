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

/// How much of files this process has in memory, counted page by page: `RssFile` in `/proc/self/status` lags behind.
fn resident_file_kb() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let kb = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        let kb = line.and_then(|line| line.split_whitespace().next());
        kb.and_then(|kb| kb.parse::<u64>().ok()).expect(name)
    };
    kb("Rss:") - kb("Anonymous:")
}
