//! Which address a 227 names: by the client's network, by name, or simply our end of the connection.
//!
//! The first rule that matches the client decides (DAT-12). A rule may hold a host name, for sites
//! whose outside address changes: it is resolved in the background and the last good answer stays.
//! A client of a private network that reached us on a private address always gets that address.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use wharf_accounts::Network;

/// How often names are resolved anew.
pub const REFRESH: Duration = Duration::from_secs(60);

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// For clients of this network.
    pub clients: Network,
    /// They get this address.
    pub address: RuleAddress,
}

/// The address of a rule.
#[derive(Debug)]
pub enum RuleAddress {
    /// Fixed.
    Fixed(IpAddr),
    /// Resolved.
    Named {
        /// The host name.
        host: String,
        /// The last good answer.
        last: Mutex<Option<IpAddr>>,
    },
}

impl RuleAddress {
    /// A name that is resolved in the background.
    pub const fn named(host: String) -> Self {
        Self::Named {
            host,
            last: Mutex::new(None),
        }
    }

    fn current(&self) -> Option<IpAddr> {
        match self {
            Self::Fixed(address) => Some(*address),
            Self::Named { last, .. } => *last.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// The rules, in order.
#[derive(Debug, Default)]
pub struct Advertised {
    rules: Vec<Rule>,
}

impl Advertised {
    /// Rules in their order; the first that matches decides.
    pub const fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// The address for a client, whose control connection ends at `local` here.
    pub fn for_client(&self, client: IpAddr, local: IpAddr) -> IpAddr {
        if is_private(client) && is_private(local) {
            return local;
        }
        self.rules
            .iter()
            .filter(|rule| rule.clients.contains(client))
            .find_map(|rule| rule.address.current())
            .unwrap_or(local)
    }

    /// Whether there is a name to resolve.
    pub fn has_names(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| matches!(rule.address, RuleAddress::Named { .. }))
    }

    /// Resolves every name once; gives the names that could not be resolved. Their last good
    /// answers stay.
    pub async fn refresh(&self) -> Vec<String> {
        let mut failed = Vec::new();
        for rule in &self.rules {
            let RuleAddress::Named { host, last } = &rule.address else {
                continue;
            };
            // 227 has room for IPv4 only.
            let found = tokio::net::lookup_host((host.as_str(), 0))
                .await
                .ok()
                .and_then(|mut addresses| addresses.find(|address| address.is_ipv4()));
            match found {
                Some(address) => {
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(address.ip())
                }
                None => failed.push(host.clone()),
            }
        }
        failed
    }
}

/// RFC 1918, RFC 4193, loopback and link-local.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4 == Ipv4Addr::UNSPECIFIED
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_rule_decides_but_neighbours_get_the_local_address() {
        let rule = |clients: &str, address: [u8; 4]| Rule {
            clients: clients.parse().unwrap(),
            address: RuleAddress::Fixed(address.into()),
        };
        let advertised = Advertised::new(vec![
            rule("198.51.100.0/24", [203, 0, 113, 1]),
            rule("0.0.0.0/0", [203, 0, 113, 2]),
        ]);
        let local = IpAddr::from([10, 0, 0, 5]);
        let of = |client: [u8; 4]| advertised.for_client(client.into(), local);
        assert_eq!(of([198, 51, 100, 9]), IpAddr::from([203, 0, 113, 1]));
        assert_eq!(of([192, 0, 2, 9]), IpAddr::from([203, 0, 113, 2]));
        assert_eq!(of([10, 0, 0, 9]), local);
    }

    #[test]
    fn a_name_that_was_never_resolved_is_passed_over() {
        let named = Rule {
            clients: "0.0.0.0/0".parse().unwrap(),
            address: RuleAddress::named("x".into()),
        };
        let local = IpAddr::from([203, 0, 113, 9]);
        assert_eq!(
            Advertised::new(vec![named]).for_client([192, 0, 2, 9].into(), local),
            local
        );
    }
}
