//! What is stored about somebody who may enter.
//!
//! An account says where its tree is ([`Home`]), what may be done there ([`Grants`]), how much
//! ([`AccountLimits`]) and on which conditions one gets in. It is plain data: counting sessions and
//! building the view from the home are other rooms' work.

use std::{net::IpAddr, num::NonZeroU64, path::PathBuf};

use wharf_vfs::{Grants, VirtualPath};

use crate::{
    AccountName, CertificateRole, CertificateRule, Channel, Network, Proofs, Refusal, RequireTls,
    SshAccess, SshLogin, StoredSecret,
};

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// Whether it is somebody or anybody.
    pub kind: AccountKind,
    /// Its tree, and where a session starts.
    pub home: Home,
    /// What may be done, per virtual subtree.
    pub grants: Grants,
    /// How much at once.
    pub limits: AccountLimits,
    /// False: nobody enters, the password is kept.
    pub enabled: bool,
    /// From this second on nobody enters, as seconds since 1970 UTC.
    pub expires: Option<u64>,
    /// Where peers may come from; empty: from anywhere.
    pub allowed_networks: Vec<Network>,
    /// What the password is checked against.
    pub password: StoredSecret,
    /// What must be under TLS.
    pub require_tls: RequireTls,
    /// The client certificates that are this account's.
    pub certificates: Vec<CertificateRule>,
    /// How it is entered over SSH.
    pub ssh: SshAccess,
}

impl Account {
    /// Whether somebody who just gave `proof` may enter from `peer` over `channel` at `unix_now`, as
    /// far as this proof goes: whether another one is wanted says [`SshLogin::wanted`].
    ///
    /// # Errors
    /// The reason, for the log: towards the peer it is the same as a wrong password.
    pub fn admit(
        &self,
        proof: Proofs,
        peer: IpAddr,
        channel: &Channel,
        unix_now: u64,
    ) -> Result<(), Refusal> {
        if !self.enabled {
            return Err(Refusal::Disabled);
        }
        if let Some(expires) = self.expires
            && unix_now >= expires
        {
            return Err(Refusal::Expired { expired: expires });
        }
        if !self.allowed_networks.is_empty()
            && !self
                .allowed_networks
                .iter()
                .any(|network| network.contains(peer))
        {
            return Err(Refusal::Network(peer));
        }
        if self.require_tls.login() && !channel.is_secure() {
            return Err(Refusal::TlsRequired);
        }
        if channel.is_ssh() && !self.ssh.login.takes(proof) {
            return Err(Refusal::SshLogin(self.ssh.login));
        }
        if channel.role() == CertificateRole::Second
            && !self.certificates.is_empty()
            && !self.has_second(proof, channel)
        {
            return Err(Refusal::Certificate);
        }
        Ok(())
    }

    /// Whether there is more than a password. SSH has no TLS certificate: a key stands for it.
    fn has_second(&self, proof: Proofs, channel: &Channel) -> bool {
        if channel.is_ssh() {
            proof.has(Proofs::PUBLIC_KEY) || self.ssh.login == SshLogin::KeyAndPassword
        } else {
            channel.proves_one_of(&self.certificates)
        }
    }

    /// Whether this is the anonymous account, for which ANON-02 and ANON-03 hold.
    pub const fn is_anonymous(&self) -> bool {
        matches!(self.kind, AccountKind::Anonymous)
    }
}

/// Whether an account belongs to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A user with a password.
    User,
    /// Anybody: any password text is accepted.
    Anonymous,
}

/// The tree of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// What is mounted where.
    pub tree: Tree,
    /// The directory in which a session starts.
    pub start: VirtualPath,
}

impl Home {
    /// A host directory that is the whole tree.
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self {
            tree: Tree::Directory(path.into()),
            start: VirtualPath::root(),
        }
    }
}

/// Where the bytes of an account lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// One host directory at `/`.
    Directory(PathBuf),
    /// Named volumes of the configuration at virtual paths.
    Volumes(Vec<MountSpec>),
}

/// A named volume at a place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountSpec {
    /// Where it appears.
    pub path: VirtualPath,
    /// The volume's name in the configuration.
    pub volume: String,
    /// Nothing can be changed there, whatever the grants say.
    pub read_only: bool,
}

/// How much an account may use at once, over all its sessions. `None`: no limit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountLimits {
    /// Sessions at one time; 0 keeps everybody out.
    pub max_sessions: Option<u32>,
    /// Bytes per second to the peer, shared by all sessions.
    pub download_rate: Option<NonZeroU64>,
    /// Bytes per second from the peer, shared by all sessions.
    pub upload_rate: Option<NonZeroU64>,
}
