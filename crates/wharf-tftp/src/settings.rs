//! What a TFTP listener is told: plain, validated values. Only the binary knows where they come from.
//!
//! There is no login, so a client is known by its network and, on the server's own links, by its hardware
//! address. Neither is a proof: whoever is on the link can take another's. That is why reading is the
//! default and writing must be asked for, rule by rule (TFT-05).

use std::{net::IpAddr, ops::RangeInclusive, sync::Arc};

use wharf_accounts::{Account, Network};
use wharf_proto::tftp::{Rollover, Timing};

use crate::{
    directory::DirectoryPattern,
    mac::{Mac, MacPattern},
    rewrite::Rewrite,
};

/// Settings of one TFTP service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who gets what; the first rule that matches decides, and whom none matches gets nothing.
    pub clients: Vec<ClientRule>,
    /// How names are changed before they are looked up; the first that matches is applied, then no other.
    pub rewrites: Vec<Rewrite>,
    /// Largest block that is granted, 8 to 65464 octets (TFT-20).
    pub max_block_size: u16,
    /// Most blocks under way that are granted, 1 to 65535 (TFT-23).
    pub max_window: u16,
    /// How patient transactions are (TFT-33).
    pub timing: Timing,
    /// The block after 65535 where no option says it (TFT-36).
    pub rollover: Rollover,
    /// Whether everything is answered from the listening port itself (TFT-06).
    pub single_port: bool,
    /// Ports that answers come from; `None`: the system's choice.
    pub port_range: Option<RangeInclusive<u16>>,
    /// Transactions of one address at a time (TFT-08).
    pub per_address: usize,
    /// Transactions at a time in all (TFT-08).
    pub transfers: usize,
    /// Requests of one address in a second (TFT-08).
    pub requests_per_second: u32,
    /// Largest file that is taken, octets.
    pub max_upload: u64,
    /// Octets of files that are kept because several clients fetch them (TFT-43); 0 keeps nothing. Heeded at
    /// the start only.
    pub cache: usize,
    /// Whether what came of an upload that broke off is kept (TFT-39).
    pub keep_partial: bool,
    /// Whether a name that is not found is looked for in another case of its letters (TFT-04).
    pub ignore_case: bool,
    /// Whose blocks are made to fit the path (TFT-20).
    pub mtu_cap: MtuCap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            rewrites: Vec::new(),
            max_block_size: 65_464,
            max_window: 64,
            timing: Timing::default(),
            rollover: Rollover::Zero,
            single_port: false,
            port_range: None,
            per_address: 32,
            transfers: 1024,
            requests_per_second: 50,
            max_upload: u64::MAX,
            cache: 64 << 20,
            keep_partial: false,
            ignore_case: false,
            mtu_cap: MtuCap::default(),
        }
    }
}

impl Settings {
    /// Whether any rule depends on a client's hardware address: where none does, nobody asks for it.
    pub fn wants_mac(&self) -> bool {
        self.clients
            .iter()
            .any(|rule| !rule.macs.is_empty() || rule.directory.wants_mac())
            || self.rewrites.iter().any(Rewrite::wants_mac)
    }
}

/// What some clients get.
#[derive(Clone, Debug)]
pub struct ClientRule {
    /// Where they are; empty: anywhere.
    pub networks: Vec<Network>,
    /// Which hardware addresses they have; empty: any, also an unknown one.
    pub macs: Vec<MacPattern>,
    /// The account that stands for them: its tree, grants and limits.
    pub account: Arc<Account>,
    /// Whether they may fetch files.
    pub read: bool,
    /// What they may send.
    pub write: WriteMode,
    /// Their top inside the account's tree; no name leads out of it.
    pub directory: DirectoryPattern,
    /// The block after 65535, instead of [`Settings::rollover`].
    pub rollover: Option<Rollover>,
    /// Largest block, instead of [`Settings::max_block_size`].
    pub max_block_size: Option<u16>,
}

impl ClientRule {
    /// Whether this rule is the client's. A rule that names hardware addresses is nobody's whose address
    /// is not known.
    pub fn matches(&self, peer: IpAddr, mac: impl FnOnce() -> Option<Mac>) -> bool {
        let near = self.networks.is_empty() || self.networks.iter().any(|net| net.contains(peer));
        near && (self.macs.is_empty()
            || mac().is_some_and(|mac| self.macs.iter().any(|pattern| pattern.matches(mac))))
    }
}

/// What clients may send (TFT-05).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteMode {
    /// Nothing.
    #[default]
    Deny,
    /// New content for files that exist and that the whole world may write, as of old.
    Existing,
    /// New files; none is replaced.
    Create,
    /// New files, and new content for old ones.
    Overwrite,
}

/// Whose blocks are cut down so that a datagram fits the path's MTU and needs no fragments (TFT-20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MtuCap {
    /// Nobody's.
    Off,
    /// Those of IPv6 clients: no router on the way fragments for them.
    #[default]
    Ipv6,
    /// Everybody's.
    Both,
}

impl MtuCap {
    /// Octets of IPv4, UDP and TFTP headers in front of a block.
    const IPV4_HEADERS: u16 = 32;
    /// The same with IPv6.
    const IPV6_HEADERS: u16 = 52;

    /// The largest block for a path of `mtu` octets to `peer`; `None`: not capped. Never below 8.
    pub const fn largest_block(self, peer: IpAddr, mtu: u16) -> Option<u16> {
        let headers = match (self, peer.to_canonical()) {
            (Self::Both, IpAddr::V4(_)) => Self::IPV4_HEADERS,
            (Self::Ipv6 | Self::Both, IpAddr::V6(_)) => Self::IPV6_HEADERS,
            (Self::Off, _) | (Self::Ipv6, IpAddr::V4(_)) => return None,
        };
        let room = mtu.saturating_sub(headers);
        Some(if room < 8 { 8 } else { room })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use wharf_accounts::{
        AccountKind, AccountLimits, AccountName, Home, RequireTls, SshAccess, StoredSecret,
    };
    use wharf_vfs::{Grants, Rights};

    use super::*;

    /// A rule for everybody: reading, nothing else.
    pub(crate) fn anybody() -> ClientRule {
        let account = Account {
            name: AccountName::parse(b"tftp").unwrap(),
            kind: AccountKind::User,
            home: Home::directory("/"),
            grants: Grants::everywhere(Rights::READ_ONLY),
            limits: AccountLimits::default(),
            enabled: true,
            expires: None,
            allowed_networks: Vec::new(),
            password: StoredSecret::locked(),
            require_tls: RequireTls::default(),
            certificates: Vec::new(),
            ssh: SshAccess::default(),
        };
        ClientRule {
            networks: Vec::new(),
            macs: Vec::new(),
            account: Arc::new(account),
            read: true,
            write: WriteMode::Deny,
            directory: DirectoryPattern::default(),
            rollover: None,
            max_block_size: None,
        }
    }

    #[test]
    fn tft_20_the_cap_leaves_room_for_the_headers_of_the_family() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(MtuCap::Ipv6.largest_block(v4, 1500), None);
        assert_eq!(MtuCap::Ipv6.largest_block(mapped, 1500), None);
        assert_eq!(MtuCap::Ipv6.largest_block(v6, 1500), Some(1448));
        assert_eq!(MtuCap::Both.largest_block(v4, 1500), Some(1468));
        assert_eq!(MtuCap::Both.largest_block(v6, 1280), Some(1228));
        assert_eq!(MtuCap::Both.largest_block(v6, 20), Some(8));
        assert_eq!(MtuCap::Off.largest_block(v6, 1500), None);
    }

    #[test]
    fn tft_05_nobody_gets_anything_until_a_rule_says_so() {
        assert!(Settings::default().clients.is_empty());
        assert_eq!(WriteMode::default(), WriteMode::Deny);
    }
}
