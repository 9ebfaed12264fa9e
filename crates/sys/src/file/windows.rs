//! `GetFileInformationByHandle`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::Path;
use std::time::Duration;

use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, GetFileInformationByHandle,
};

pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    // With no rights at all a file opens whoever has locked it.
    let there = OpenOptions::new().access_mode(0).open(path)?;
    Ok(identity(file)? == identity(&there)?)
}

pub(super) fn standard_output() -> io::Result<File> {
    Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
}

pub(super) fn standard_error() -> io::Result<File> {
    Ok(io::stderr().as_handle().try_clone_to_owned()?.into())
}

pub(super) fn write_standard_error(text: &[u8], _patience: Duration) -> io::Result<()> {
    io::stderr().write_all(text)
}

pub(super) fn write_standard_output(text: &[u8], _patience: Duration) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text)?;
    stdout.flush()
}

pub(super) fn write_in_time(path: &Path, text: &[u8], _patience: Duration) -> io::Result<()> {
    fs::write(path, text)
}

fn identity(file: &File) -> io::Result<(u32, u32, u32)> {
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and the structure outlives the call.
    match unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut information) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok((
            information.dwVolumeSerialNumber,
            information.nFileIndexHigh,
            information.nFileIndexLow,
        )),
    }
}
