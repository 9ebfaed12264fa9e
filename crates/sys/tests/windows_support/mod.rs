//! What the Windows tests share.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ends this process when a test does not end: a hanging test must not hang the lane.
pub(crate) struct Watchdog;

impl Watchdog {
    /// Bounds everything that this process does from here.
    pub(crate) fn start(limit: Duration) -> Self {
        std::thread::spawn(move || {
            std::thread::sleep(limit);
            eprintln!("watchdog: not done within {limit:?}");
            std::process::abort();
        });
        Self
    }
}

/// A name that no other test and no other run uses.
pub(crate) fn unique(test: &str) -> String {
    format!("winddown-{test}-{}", std::process::id())
}

/// A path in the temporary directory that goes when this does.
pub(crate) struct ScratchFile(PathBuf);

impl ScratchFile {
    pub(crate) fn new(name: &str) -> Self {
        let file = Self(std::env::temp_dir().join(name));
        let _ = std::fs::remove_file(&file.0);
        file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What others wrote into it so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(&self.0)
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
