//! Accounts on Windows: a service's own.

use std::ffi::OsString;

use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Account {}

impl Account {
    pub(super) fn find(_: Option<&str>, _: Option<&str>, _: &[String]) -> Result<Self> {
        Err(Error::Unsupported {
            what: "running a program as another user".to_owned(),
            instead: "give the service that account",
        })
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, Option<OsString>)> + '_ {
        match *self {}
        #[allow(unreachable_code)]
        std::iter::empty()
    }
}
