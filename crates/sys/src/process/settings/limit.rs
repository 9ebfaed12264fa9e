//! Limits of resources, and how they are written.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// What a limit is of. Units and meaning: `setrlimit(2)`. A system lacks some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Processor time in seconds.
    Cpu,
    /// The size of a file it writes, in bytes.
    Fsize,
    /// Its data segment, in bytes.
    Data,
    /// Its main thread's stack, in bytes.
    Stack,
    /// The size of a core dump, in bytes.
    Core,
    /// Resident memory, in bytes; Linux ignores it.
    Rss,
    /// Processes and threads of its user.
    Nproc,
    /// Open files: one more than the highest descriptor.
    Nofile,
    /// Locked memory, in bytes.
    Memlock,
    /// Address space, in bytes.
    As,
    /// File locks; Linux ignores it.
    Locks,
    /// Queued signals of its user.
    Sigpending,
    /// Message queues of its user, in bytes.
    Msgqueue,
    /// How far it may lower its niceness: 20 minus the lowest allowed.
    Nice,
    /// Its highest realtime priority.
    Rtprio,
    /// Realtime processor time without a blocking call, in microseconds.
    Rttime,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Cpu,
        Self::Fsize,
        Self::Data,
        Self::Stack,
        Self::Core,
        Self::Rss,
        Self::Nproc,
        Self::Nofile,
        Self::Memlock,
        Self::As,
        Self::Locks,
        Self::Sigpending,
        Self::Msgqueue,
        Self::Nice,
        Self::Rtprio,
        Self::Rttime,
    ];

    /// Its name in lower case: `nofile`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Fsize => "fsize",
            Self::Data => "data",
            Self::Stack => "stack",
            Self::Core => "core",
            Self::Rss => "rss",
            Self::Nproc => "nproc",
            Self::Nofile => "nofile",
            Self::Memlock => "memlock",
            Self::As => "as",
            Self::Locks => "locks",
            Self::Sigpending => "sigpending",
            Self::Msgqueue => "msgqueue",
            Self::Nice => "nice",
            Self::Rtprio => "rtprio",
            Self::Rttime => "rttime",
        }
    }
}

impl fmt::Display for Resource {
    /// `RLIMIT_NOFILE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RLIMIT_{}", self.name().to_uppercase())
    }
}

/// No resource has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no limit `{0}`: write one of setrlimit(2), such as nofile")]
pub struct NoSuchResource(String);

impl FromStr for Resource {
    type Err = NoSuchResource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|known| known.name() == text);
        known.ok_or_else(|| NoSuchResource(text.to_owned()))
    }
}

/// The bounds of a resource; `None` is infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What counts now. The program may raise it up to `hard`.
    pub soft: Option<u64>,
    /// The most that `soft` may be; only a privileged process raises it.
    pub hard: Option<u64>,
}

impl fmt::Display for Limit {
    /// `1024:4096`, `infinity`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |bound: Option<u64>| bound.map_or("infinity".to_owned(), |n| n.to_string());
        f.write_str(&word(self.soft))?;
        if self.soft != self.hard {
            write!(f, ":{}", word(self.hard))?;
        }
        Ok(())
    }
}

/// This is not how a limit is written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoLimit {
    /// It is no number.
    #[error(
        "`{0}` is no limit: write a number, `infinity`, or both bounds as soft:hard (1024:4096)"
    )]
    NoNumber(String),
    /// The soft limit is above the hard one.
    #[error("the soft limit in `{0}` is above the hard one")]
    Reversed(String),
}

impl FromStr for Limit {
    type Err = NoLimit;

    /// `1024` for both bounds, `1024:4096`, `1024:infinity`, `infinity`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bound = |text: &str| match text {
            "infinity" => Some(None),
            // The largest number means infinity to the system.
            number => number.parse().ok().filter(|n| *n < u64::MAX).map(Some),
        };
        let (soft, hard) = text.split_once(':').unwrap_or((text, text));
        let (Some(soft), Some(hard)) = (bound(soft), bound(hard)) else {
            return Err(NoLimit::NoNumber(text.to_owned()));
        };
        if soft.unwrap_or(u64::MAX) > hard.unwrap_or(u64::MAX) {
            return Err(NoLimit::Reversed(text.to_owned()));
        }
        Ok(Self { soft, hard })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_and_written() {
        for (text, soft, hard) in [
            ("1024", Some(1024), Some(1024)),
            ("1024:4096", Some(1024), Some(4096)),
            ("0:infinity", Some(0), None),
            ("infinity", None, None),
        ] {
            let limit = Limit { soft, hard };
            assert_eq!(text.parse(), Ok(limit));
            assert_eq!(limit.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in ["", ":", "-1", "1k", "1:2:3", "18446744073709551615"] {
            assert!(
                matches!(text.parse::<Limit>(), Err(NoLimit::NoNumber(_))),
                "{text}"
            );
        }
        for text in ["4096:1024", "infinity:1"] {
            assert!(
                matches!(text.parse::<Limit>(), Err(NoLimit::Reversed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_resource_is_known_by_its_name() {
        for resource in Resource::ALL {
            assert_eq!(resource.name().parse(), Ok(resource));
        }
        assert_eq!(Resource::Nofile.to_string(), "RLIMIT_NOFILE");
        assert!("files".parse::<Resource>().is_err());
    }
}
