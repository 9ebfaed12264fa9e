//! What a lane cannot run without, how to see that it is there, and how to get it.

use std::path::Path;

use crate::error::Error;
use crate::workspace;

pub(crate) enum Need {
    /// A Debian package, known by a program or an absolute path that it provides.
    Package {
        name: &'static str,
        provides: &'static str,
    },
    /// A cargo subcommand, installed from source.
    Subcommand(&'static str),
    /// Something made here by other means.
    Made {
        what: &'static str,
        is_there: fn() -> bool,
        make: fn() -> Result<(), Error>,
    },
    /// The rights of root, which nothing can install.
    Root,
}

impl Need {
    pub(crate) fn is_met(&self) -> bool {
        match self {
            Self::Package { provides, .. } if provides.starts_with('/') => {
                Path::new(provides).exists()
            }
            Self::Package { provides, .. } => workspace::find_program(provides).is_some(),
            Self::Subcommand(name) => workspace::find_program(name).is_some(),
            Self::Made { is_there, .. } => is_there(),
            Self::Root => rustix::process::geteuid().is_root(),
        }
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Package { name, .. } | Self::Subcommand(name) => name,
            Self::Made { what, .. } => what,
            Self::Root => "root",
        })
    }
}

/// `needs`, as one line.
pub(crate) fn list<'a>(needs: impl IntoIterator<Item = &'a Need>) -> String {
    needs
        .into_iter()
        .map(Need::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
