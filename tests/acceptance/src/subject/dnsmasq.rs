//! dnsmasq as a TFTP server alone. Its port cannot be chosen, so its address is: each server has one of
//! loopback's sixteen million for itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Launch, peer};

/// An address that no other test has.
pub(super) fn address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    (Ipv4Addr::new(127, high | 0x80, low, number), 69).into()
}

pub(super) fn launch(root: &Path, address: SocketAddr) -> Launch {
    let mut command = Command::new(peer("dnsmasq-base/usr/sbin/dnsmasq"));
    command
        .args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0"])
        .args(["--bind-interfaces", "--user=root", "--pid-file"])
        .args(["--log-facility=-", "--tftp-max=1000"])
        .arg(format!("--listen-address={}", address.ip()))
        .arg("--enable-tftp")
        .arg(format!("--tftp-root={}", root.display()));
    Launch {
        command,
        accounts: true,
    }
}
