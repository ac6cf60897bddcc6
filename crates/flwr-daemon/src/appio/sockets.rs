//! The process at the other end of a connection within this machine, from Linux's `/proc`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use flwr_security::peer::Peer;

/// The socket at the other end of a connection within this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    inode: u64,
    /// The user whose process opened it.
    pub(super) user: u32,
}

impl Socket {
    /// The peer's socket. `None`: the peer is on another machine or in another network namespace,
    /// or the system does not tell.
    pub(super) fn of(peer: &Peer) -> Option<Self> {
        let ends = (canonical(peer.address), canonical(peer.local));
        let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
        tables.into_iter().find_map(|table| {
            let table = fs::read_to_string(table).ok()?;
            table
                .lines()
                .skip(1)
                .find_map(|line| Self::read(line, ends))
        })
    }

    /// The socket of a line of `/proc/net/tcp` (proc(5)), if it has these ends.
    fn read(line: &str, (own, other): (SocketAddr, SocketAddr)) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let (local, remote) = (fields.nth(1)?, fields.next()?);
        if address(local)? != own || address(remote)? != other {
            return None;
        }
        // After the fields `st`, `tx_queue:rx_queue`, `tr:tm->when` and `retrnsmt`.
        let user = fields.nth(4)?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        // A socket that is being closed belongs to nobody.
        (inode != 0).then_some(Self { inode, user })
    }

    /// The process that has this socket, the youngest first. `None`: the system does not show it.
    pub(super) fn process(self) -> Option<u32> {
        let entries = fs::read_dir("/proc").ok()?.flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut pids: Vec<u32> = pids.collect();
        pids.sort_unstable_by(|a, b| b.cmp(a));
        pids.into_iter().find(|pid| self.is_of(*pid))
    }

    /// Whether the process has this socket.
    pub(super) fn is_of(self, pid: u32) -> bool {
        let process = Path::new("/proc").join(pid.to_string());
        let owner = fs::metadata(&process).map(|process| process.uid());
        if owner.ok() != Some(self.user) {
            return false;
        }
        let name = format!("socket:[{}]", self.inode);
        let files = fs::read_dir(process.join("fd")).into_iter().flatten();
        let mut links = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| link.as_os_str() == name.as_str())
    }
}

/// IPv4 as such, also where a socket is of IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// An address of the table: `0100007F:2383`, each word of 32 bits in the machine's own order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..ip.len()).step_by(8) {
        let word = u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip: IpAddr = match bytes.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_line_of_the_table_is_read() {
        let line = "   7: 0100007F:2383 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 424242 1 0000000000000000 20 4 30 10 -1";
        let [own, other] = ["127.0.0.1:9091", "127.0.0.1:50000"].map(|text| text.parse().unwrap());
        let socket = Socket {
            inode: 424_242,
            user: 1000,
        };
        assert_eq!(Socket::read(line, (own, other)), Some(socket));
        assert_eq!(Socket::read(line, (other, own)), None);
        assert_eq!(Socket::read("", (own, other)), None);
        let mapped = address("0000000000000000FFFF00000100007F:2383");
        assert_eq!(mapped, Some(own));
        let loopback = address("00000000000000000000000001000000:2383");
        assert_eq!(loopback, Some("[::1]:9091".parse().unwrap()));
        for wrong in ["", "0100007F", "01:2383", "0100007F:X"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
