//! Accounts out of the system's databases, whatever they are kept in. Source: `getpwnam(3)`, `getgrouplist(3)`.

use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::{fmt, io, ptr};

use libc::{gid_t, uid_t};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgid, getgroups, getuid};

use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// `None` to stay the user of this process.
    user: Option<User>,
    gid: Option<gid_t>,
    groups: Option<Vec<gid_t>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    uid: uid_t,
    /// Without an entry there is only the number.
    entry: Option<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: CString,
    gid: gid_t,
    home: OsString,
    shell: OsString,
}

impl Account {
    pub(super) fn find(user: Option<&str>, group: Option<&str>, groups: &[String]) -> Result<Self> {
        let user = user.map(find_user).transpose()?;
        let user =
            user.filter(|user| group.is_some() || !groups.is_empty() || !user.is_this_process());
        let gid = match (group, &user) {
            (Some(group), _) => Some(find_group(group)?),
            (
                None,
                Some(User {
                    entry: Some(entry), ..
                }),
            ) => Some(entry.gid),
            (None, Some(User { uid, entry: None })) => {
                return Err(Error::NoSuchAccount {
                    kind: "user with the number",
                    name: uid.to_string(),
                    remedy: Some("name a group too"),
                });
            }
            (None, None) => None,
        };
        let mut all = match (&user, gid) {
            (
                Some(User {
                    entry: Some(entry), ..
                }),
                Some(gid),
            ) => memberships(&entry.name, gid)?,
            _ => Vec::new(),
        };
        for group in groups {
            all.push(find_group(group)?);
        }
        all.sort_unstable();
        all.dedup();
        let changes_groups = gid.is_some() || !groups.is_empty();
        Ok(Self {
            user,
            gid,
            groups: changes_groups.then_some(all),
        })
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, Option<OsString>)> + '_ {
        let user = self.user.iter().filter(|user| !user.is_this_process());
        user.flat_map(User::variables)
    }

    /// What a child takes on, in this order; nothing that this process is already.
    pub(super) fn credentials(&self) -> Vec<Credential> {
        let own_groups = getgroups().ok().map(|groups| {
            let mut groups: Vec<gid_t> = groups.into_iter().map(|group| group.as_raw()).collect();
            groups.sort_unstable();
            groups.dedup();
            groups
        });
        let own_group = |gid: &gid_t| [getgid(), getegid()].iter().all(|own| own.as_raw() == *gid);
        let groups = self
            .groups
            .clone()
            .filter(|groups| own_groups.as_ref() != Some(groups));
        let gid = self.gid.filter(|gid| !own_group(gid));
        let user = self.user.as_ref().filter(|user| !user.is_this_process());
        let groups = groups.map(Credential::Groups);
        let changes = [
            gid.map(Credential::Group),
            user.map(|user| Credential::User(user.uid)),
        ];
        groups
            .into_iter()
            .chain(changes.into_iter().flatten())
            .collect()
    }
}

impl User {
    fn is_this_process(&self) -> bool {
        [getuid(), geteuid()]
            .iter()
            .all(|own| own.as_raw() == self.uid)
    }

    /// Those of this process must not reach another user's program: it would write into a home that is not its own.
    fn variables(&self) -> [(&'static str, Option<OsString>); 4] {
        let Some(entry) = &self.entry else {
            return [
                ("HOME", Some("/".into())),
                ("USER", None),
                ("LOGNAME", None),
                ("SHELL", None),
            ];
        };
        let name = OsStr::from_bytes(entry.name.to_bytes()).to_owned();
        [
            ("HOME", Some(entry.home.clone())),
            ("USER", Some(name.clone())),
            ("LOGNAME", Some(name)),
            ("SHELL", Some(entry.shell.clone())),
        ]
    }
}

/// One part of an account, as the kernel knows it.
pub(in crate::process) enum Credential {
    Groups(Vec<gid_t>),
    Group(gid_t),
    User(uid_t),
}

impl Credential {
    /// Makes it this process's. Async-signal-safe.
    ///
    /// # Safety
    ///
    /// Only in a process with one thread, which `fork` has just made: Linux changes the calling thread alone.
    pub(in crate::process) unsafe fn take(&self) -> Result<(), Errno> {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{Gid, Uid};
            use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
            match self {
                Self::Groups(groups) => {
                    // SAFETY: reads that many numbers of the list.
                    let result = unsafe {
                        libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr())
                    };
                    result_of(result as c_int)
                }
                Self::Group(gid) => {
                    let gid = Gid::from_raw(*gid);
                    set_thread_res_gid(gid, gid, gid)
                }
                Self::User(uid) => {
                    let uid = Uid::from_raw(*uid);
                    set_thread_res_uid(uid, uid, uid)
                }
            }
        }
        #[cfg(not(target_os = "linux"))]
        // SAFETY: the list has as many numbers as said; the other calls take no pointers.
        result_of(unsafe {
            match self {
                Self::Groups(groups) => libc::setgroups(groups.len() as _, groups.as_ptr()),
                Self::Group(gid) => libc::setgid(*gid),
                Self::User(uid) => libc::setuid(*uid),
            }
        })
    }
}

fn result_of(result: c_int) -> Result<(), Errno> {
    match result {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)),
    }
}

impl fmt::Display for Credential {
    /// `become user 1000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Groups(groups) => {
                let groups: Vec<String> = groups.iter().map(gid_t::to_string).collect();
                write!(f, "join the groups {}", groups.join(", "))
            }
            Self::Group(gid) => write!(f, "become group {gid}"),
            Self::User(uid) => write!(f, "become user {uid}"),
        }
    }
}

fn find_user(user: &str) -> Result<User> {
    let none = || no_such("user", user);
    let Some(uid) = number(user) else {
        let name = CString::new(user).map_err(|_| none())?;
        // SAFETY: the name ends in NUL.
        let found = unsafe {
            look_up_user(|entry, room, size, found| {
                libc::getpwnam_r(name.as_ptr(), entry, room, size, found)
            })
        }?;
        let (uid, entry) = found.ok_or_else(none)?;
        return Ok(User {
            uid,
            entry: Some(entry),
        });
    };
    // SAFETY: takes a number and what it fills.
    let found = unsafe {
        look_up_user(|entry, room, size, found| libc::getpwuid_r(uid, entry, room, size, found))
    }?;
    Ok(User {
        uid,
        entry: found.map(|(_, entry)| entry),
    })
}

fn find_group(group: &str) -> Result<gid_t> {
    if let Some(gid) = number(group) {
        return Ok(gid);
    }
    let none = || no_such("group", group);
    let name = CString::new(group).map_err(|_| none())?;
    // SAFETY: all fields of the C structure may be zero.
    let mut entry: libc::group = unsafe { std::mem::zeroed() };
    let mut found = ptr::null_mut();
    with_room("getgrnam_r", |room| {
        // SAFETY: the name ends in NUL; the others outlive the call and have the size said.
        unsafe {
            libc::getgrnam_r(
                name.as_ptr(),
                &raw mut entry,
                room.as_mut_ptr(),
                room.len(),
                &raw mut found,
            )
        }
    })?;
    if found.is_null() {
        return Err(none());
    }
    Ok(entry.gr_gid)
}

/// A number that can be a user's or a group's: the largest one says "unchanged" to the system.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

fn no_such(kind: &'static str, name: &str) -> Error {
    Error::NoSuchAccount {
        kind,
        name: name.to_owned(),
        remedy: None,
    }
}

/// # Safety
///
/// `call` is `getpwnam_r` or `getpwuid_r` with what it looks for.
unsafe fn look_up_user(
    call: impl Fn(*mut libc::passwd, *mut c_char, usize, *mut *mut libc::passwd) -> c_int,
) -> Result<Option<(uid_t, Entry)>> {
    // SAFETY: all fields of the C structure may be zero.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = ptr::null_mut();
    let room = with_room("getpwnam_r", |room| {
        call(
            &raw mut entry,
            room.as_mut_ptr(),
            room.len(),
            &raw mut found,
        )
    })?;
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: the call succeeded: each points to a string in `room`, which still lives.
    let (name, home, shell) = unsafe {
        (
            CStr::from_ptr(entry.pw_name),
            CStr::from_ptr(entry.pw_dir),
            CStr::from_ptr(entry.pw_shell),
        )
    };
    let owned = |text: &CStr| OsStr::from_bytes(text.to_bytes()).to_owned();
    let result = Entry {
        name: name.to_owned(),
        gid: entry.pw_gid,
        home: owned(home),
        shell: owned(shell),
    };
    drop(room);
    Ok(Some((entry.pw_uid, result)))
}

/// Calls again with more room for as long as there is too little; the room with what was written to it.
fn with_room(what: &str, mut call: impl FnMut(&mut Vec<c_char>) -> c_int) -> Result<Vec<c_char>> {
    let mut room = vec![0; 1024];
    loop {
        match call(&mut room) {
            libc::ERANGE => room.resize(room.len() * 2, 0),
            libc::EINTR => {}
            // What some name services answer instead of "not found".
            0 | libc::ENOENT | libc::ESRCH => return Ok(room),
            error => return Err(Error::os(what, io::Error::from_raw_os_error(error))),
        }
    }
}

/// All groups that a user is a member of, and `gid`.
fn memberships(name: &CStr, gid: gid_t) -> Result<Vec<gid_t>> {
    let mut room: Vec<gid_t> = vec![0; 32];
    loop {
        let mut count = c_int::try_from(room.len()).unwrap_or(c_int::MAX);
        // SAFETY: the name ends in NUL, and the list has room for `count` numbers.
        let result = unsafe {
            libc::getgrouplist(
                name.as_ptr(),
                gid as _,
                room.as_mut_ptr().cast(),
                &raw mut count,
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        if result >= 0 {
            room.truncate(count);
            return Ok(room);
        }
        // Some systems do not say how many there are.
        room.resize(count.max(room.len() * 2), 0);
    }
}
