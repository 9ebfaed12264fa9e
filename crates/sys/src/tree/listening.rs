//! Which TCP addresses processes listen at: sockets in state `LISTEN`, matched by inode with the processes' descriptors.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

pub(super) fn of(pids: impl Iterator<Item = u32>) -> Vec<SocketAddr> {
    let mut namespaces = HashSet::new();
    let mut sockets = HashSet::new();
    let mut tables = Vec::new();
    for pid in pids {
        sockets.extend(sockets_of(pid));
        // Each network namespace has tables of its own.
        if let Ok(namespace) = fs::read_link(format!("/proc/{pid}/ns/net")) {
            if namespaces.insert(namespace) {
                tables.extend([
                    format!("/proc/{pid}/net/tcp"),
                    format!("/proc/{pid}/net/tcp6"),
                ]);
            }
        }
    }
    let mut addresses = BTreeSet::new();
    for table in tables {
        let text = fs::read_to_string(table).unwrap_or_default();
        let listeners = text.lines().skip(1).filter_map(listener);
        addresses.extend(
            listeners
                .filter(|(_, inode)| sockets.contains(inode))
                .map(|(address, _)| address),
        );
    }
    addresses.into_iter().collect()
}

/// The inodes of a process's sockets.
fn sockets_of(pid: u32) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter_map(|link: PathBuf| {
            link.to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?
                .parse()
                .ok()
        })
        .collect()
}

/// Address and inode of a line of `proc_pid_net(5)`'s `tcp` or `tcp6`, if it listens.
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    if *state != LISTEN {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    // Each group of eight digits is a 32-bit word of the address in network order, printed as the host reads it.
    let word = |at: usize| {
        u32::from_str_radix(address.get(at..at + 8)?, 16)
            .ok()
            .map(u32::to_ne_bytes)
    };
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into()
        }
        _ => return None,
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((SocketAddr::new(ip, port), inode.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_both_tables_are_read() {
        let v4 = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0";
        assert_eq!(
            listener(v4),
            Some(("127.0.0.1:8080".parse().unwrap(), 4711))
        );
        let v6 = "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4712 1 0 100 0 0 10 0";
        assert_eq!(listener(v6), Some(("[::1]:8080".parse().unwrap(), 4712)));
        assert_eq!(listener(&v4.replace(" 0A ", " 01 ")), None);
    }
}
