//! The names of Linux's capabilities.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// In the order of their numbers, from 0. Source: `capabilities(7)`, `linux/capability.h`.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// One of the rights that Linux divides root's power into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(u8);

impl Capability {
    /// Its number in the kernel's sets.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for Capability {
    /// `CAP_NET_BIND_SERVICE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CAP_{}", NAMES[usize::from(self.0)].to_uppercase())
    }
}

/// No capability has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no capability `{0}`: write one of capabilities(7), such as net_bind_service")]
pub struct NoSuchCapability(String);

impl FromStr for Capability {
    type Err = NoSuchCapability;

    /// `CAP_NET_BIND_SERVICE`, `net_bind_service` or `net-bind-service`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.to_lowercase().replace('-', "_");
        let name = name.strip_prefix("cap_").unwrap_or(&name);
        let number = (0..).zip(NAMES).find(|(_, known)| *known == name);
        number.map_or_else(
            || Err(NoSuchCapability(text.to_owned())),
            |(number, _)| Ok(Self(number)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_in_every_spelling() {
        for text in [
            "CAP_NET_BIND_SERVICE",
            "net_bind_service",
            "net-bind-service",
        ] {
            let capability: Capability = text.parse().unwrap();
            assert_eq!(capability.number(), 10);
            assert_eq!(capability.to_string(), "CAP_NET_BIND_SERVICE");
        }
        assert_eq!(
            "checkpoint_restore".parse::<Capability>().unwrap().number(),
            40
        );
        assert!("net_bind".parse::<Capability>().is_err());
    }
}
