//! The process that owns a port, for the error of a proxy that cannot bind it.

use std::fs;
use std::net::SocketAddr;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// The program that listens at the port, as `NAME (pid N)`. Only root sees those of other users.
pub(crate) fn port_owner(address: SocketAddr) -> Option<String> {
    let sockets = listening_at(address.port());
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut owners = numbers.filter(|pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.any(|target| {
            target.to_str().is_some_and(|target| sockets.iter().any(|socket| socket == target))
        })
    });
    let pid = owners.next()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (pid {pid})", name.trim_end()))
}

/// The sockets that listen at the port, as links of descriptors name them.
fn listening_at(port: u16) -> Vec<String> {
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
    let text: String = tables.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    parse(&text, port)
}

fn parse(table: &str, port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    let rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    rows.filter(|row| {
        row.get(1).is_some_and(|local| local.ends_with(&port)) && row.get(3) == Some(&LISTEN)
    })
    .filter_map(|row| Some(format!("socket:[{}]", row.get(9)?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_owns_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let owner = port_owner(address).unwrap();
        assert!(owner.ends_with(&format!("(pid {})", std::process::id())), "{owner}");
        drop(listener);
        assert_eq!(port_owner(address), None);
    }
}
