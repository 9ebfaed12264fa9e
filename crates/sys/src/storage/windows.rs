//! Access control lists and owners.

use std::env;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr;

use windows_sys::Win32::Foundation::{CloseHandle, ERROR_SHARING_VIOLATION, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{GetNamedSecurityInfoW, SE_FILE_OBJECT};
use windows_sys::Win32::Security::{
    EqualSid, GetTokenInformation, IsWellKnownSid, OWNER_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, PSID, TOKEN_ELEVATION, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_USER,
    TokenElevation, TokenUser, WinBuiltinAdministratorsSid, WinLocalSystemSid,
};
use windows_sys::Win32::Storage::FileSystem::{CreateDirectoryW, FILE_FLAG_OPEN_REPARSE_POINT};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::untrusted;
use crate::windows::descriptor::SecurityDescriptor;
use crate::windows::text::wide;

/// Inherited from nowhere: everything to the system, to administrators and to the owner, nothing to others, and the same for
/// what is made inside.
const OWNER_ONLY: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)";

pub(super) fn state_home() -> Option<PathBuf> {
    let elevated = token_information::<TOKEN_ELEVATION>(TokenElevation)
        .is_ok_and(|elevation| elevation[0].TokenIsElevated != 0);
    let variable = if elevated {
        "ProgramData"
    } else {
        "LocalAppData"
    };
    let path = PathBuf::from(env::var_os(variable)?);
    path.is_absolute().then_some(path)
}

pub(super) fn owner_only(_builder: &mut DirBuilder) {}

pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    let owner_only = SecurityDescriptor::read(OWNER_ONLY)?;
    let attributes = owner_only.attributes();
    // SAFETY: the path ends with a zero, and the attributes live as long as the call.
    match unsafe { CreateDirectoryW(wide(path).as_ptr(), &raw const attributes) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Refuses what belongs neither to this process's user nor to administrators or the system.
pub(super) fn refuse_foreign(path: &Path, _metadata: &Metadata) -> io::Result<()> {
    let user = token_information::<TOKEN_USER>(TokenUser)?;
    let mut owner: PSID = ptr::null_mut();
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the path ends with a zero; `owner` points into the descriptor, which is freed below.
    let code = unsafe {
        GetNamedSecurityInfoW(
            wide(path).as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code as i32));
    }
    // SAFETY: both identifiers are valid until the descriptor and `user` are gone.
    let trusted = unsafe {
        EqualSid(owner, user[0].User.Sid) != 0
            || IsWellKnownSid(owner, WinBuiltinAdministratorsSid) != 0
            || IsWellKnownSid(owner, WinLocalSystemSid) != 0
    };
    // SAFETY: it was allocated by the call above, and nothing uses it any more.
    unsafe { LocalFree(descriptor) };
    match trusted {
        true => Ok(()),
        false => Err(untrusted("it belongs to another user")),
    }
}

/// Inside of a private directory a file inherits who may open it.
pub(super) fn private_file(options: &mut OpenOptions) {
    options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
}

pub(super) fn try_lock(options: &OpenOptions, path: &Path) -> io::Result<Option<File>> {
    match options.clone().share_mode(0).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION as i32) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// What the token of this process says: a `T`, and behind it what it points to.
fn token_information<T: Copy>(class: TOKEN_INFORMATION_CLASS) -> io::Result<Vec<T>> {
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the handle of this process needs no closing; the token's is closed below.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let mut size = 0;
    // SAFETY: without a buffer the call only writes the size it needs.
    unsafe { GetTokenInformation(token, class, ptr::null_mut(), 0, &raw mut size) };
    let length = (size as usize).div_ceil(size_of::<T>()).max(1);
    let mut buffer = Vec::<T>::with_capacity(length);
    let room = (length * size_of::<T>()) as u32;
    // SAFETY: the buffer has that much room and the alignment of what is written to its start.
    let known = unsafe {
        GetTokenInformation(
            token,
            class,
            buffer.as_mut_ptr().cast(),
            room,
            &raw mut size,
        )
    };
    let result = match known {
        0 => Err(io::Error::last_os_error()),
        _ => {
            // SAFETY: the call has written a whole `T` at the start.
            unsafe { buffer.set_len(1) };
            Ok(buffer)
        }
    };
    // SAFETY: it was opened above, and nothing uses it any more.
    unsafe { CloseHandle(token) };
    result
}
