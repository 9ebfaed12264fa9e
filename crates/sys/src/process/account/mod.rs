//! [`Account`]: the user and groups that a child runs as.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

use std::ffi::OsString;

use crate::Result;

#[cfg(unix)]
pub(super) use imp::Credential;

/// The user and groups that a child runs as, looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(imp::Account);

impl Account {
    /// Looks up a user and groups, each by its name or number.
    ///
    /// With a user, the child gets the group of its entry unless `group` names another, all groups that the user is a member of,
    /// and `groups` besides (`initgroups(3)`). Without one it stays the user of this process, in `group` and exactly `groups`.
    /// What this process is already needs no rights and is left alone.
    ///
    /// This may block for as long as the system's name service does, which may ask over the network: not a call for a thread that
    /// must not wait.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchAccount`](crate::Error::NoSuchAccount) for a name that there is not, and for the number of a user that has
    /// no entry and so no group, unless `group` names one; [`Error::Unsupported`](crate::Error::Unsupported) on Windows.
    pub fn find(user: Option<&str>, group: Option<&str>, groups: &[String]) -> Result<Self> {
        imp::Account::find(user, group, groups).map(Self)
    }

    /// `HOME`, `USER`, `LOGNAME` and `SHELL` of the user, where it is another than this process's: the value that it has with it, or
    /// `None` where it has none.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, Option<OsString>)> + '_ {
        self.0.variables()
    }

    #[cfg(unix)]
    pub(super) fn credentials(&self) -> Vec<Credential> {
        self.0.credentials()
    }
}
