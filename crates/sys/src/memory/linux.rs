//! The mappings of `/proc/self/maps`, and the heap of the GNU library. Sources: `proc_pid_maps(5)`, `malloc_trim(3)`.

use std::ffi::c_void;
use std::ops::Range;
use std::ptr::without_provenance_mut;

use rustix::mm::{Advice, madvise};

use crate::process::procfs;

pub(super) fn give_back_code() {
    let maps = procfs::read_text("/proc/self/maps").unwrap_or_default();
    // Found before any is given back: what is needed to read the rest would come back.
    let found: Vec<_> = maps.lines().filter_map(code).collect();
    for addresses in &found {
        let start: *mut c_void = without_provenance_mut(addresses.start);
        // SAFETY: nothing was ever written to these pages, so that they come back from their file as they are.
        let _ = unsafe { madvise(start, addresses.len(), Advice::LinuxDontNeed) };
    }
}

/// Frees what the heap keeps for itself, in its middle too.
pub(super) fn give_back_heap() {
    // Other libraries either give it back by themselves or not at all.
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number, and changes nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Where a mapping is, if it is code or constants of a file.
///
/// Pages that may not be written now may have been before: the loader writes addresses into them and protects them then. These
/// are never executable, and never at the beginning of the file.
fn code(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let offset = fields.next()?;
    let from_file = fields.nth(2)?.starts_with('/');
    let unwritten = permissions == "r-xp" || (permissions == "r--p" && offset == "00000000");
    let address = |text| usize::from_str_radix(text, 16).ok();
    (from_file && unwritten).then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_and_constants_are_given_back() {
        let file = "08:01 42 /usr/bin/winddown";
        for (mapping, is_code) in [
            (format!("1000-3000 r-xp 00002000 {file}"), true),
            (format!("1000-3000 r--p 00000000 {file}"), true),
            (format!("1000-3000 r--p 00002000 {file}"), false),
            (format!("1000-3000 rw-p 00002000 {file}"), false),
            (format!("1000-3000 rwxp 00002000 {file}"), false),
            ("1000-3000 r-xp 00000000 00:00 0 [vdso]".to_owned(), false),
            ("1000-3000 rw-p 00000000 00:00 0 ".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(
                code(&mapping),
                is_code.then_some(0x1000..0x3000),
                "{mapping}"
            );
        }
    }
}
