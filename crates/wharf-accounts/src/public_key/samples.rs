//! Keys and certificates for tests: made by ssh-keygen, or from fixed seeds.

use ssh_key::{
    Certificate, PrivateKey, PublicKey,
    certificate::{Builder, CertType},
    private::Ed25519Keypair,
};

use super::ProvenKey;

/// Anna's key, and the line of its file.
pub(crate) const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKDarEXtR9tcG0Dd/cSGqLRQ31u3SXSY0qxGY+4XL0q9";
pub(crate) const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHFDdAy23F+GeuCEP2XkaPDZPVxgCKgdJUY+n2PiSACLdE1GJZhT3ZHQWeswYwLH5Dgr5IZvTQZgN8rn2rFiwmg=";
pub(crate) const RSA_2048: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDMApAbj4QI91ZF6FPv8oieJoTLkejCOyAX0+Fh+VO4HrVqN99Fu6VP6L83pclWe/o3WI9mwu2fEUEVDSGoYs4H4+sOePuH+EPEgxkAbXjupZ8+et8CRdDdZennGfkAMzkEGVR0HgiNQ87/fcjEQNhBtc1ckUNakTmyEkhpnQGXNBPo4k0se4gIS0ezCeuVCi3D5gVQ3wd0VvzG9gZ+/gCjXsQlR9iniUzy0XWJAoh/Cq2GMjrmQ4qL5Gsu+Fgik4LfK0TcOpNNqA23+KqpBbWU2vMotYP1zE/UmDZaeKGB4+yS1ZLQM7+QsXBVbGArBVyUFaKYy2q7sxpfwdufvQSB";
pub(crate) const RSA_1024: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCvjjvFoycpnslvQGaLvnGk9uEISyuLr0oRkgYWZ9pe9tw71RdqUET0BHXL/BCbCSYqweU7VKmbIoU/nlVgFRJK9CBYAfmY6MJQPQ8pgV+PPLisGehRBMlFBjaCGKBanEevle3bOpK1qQ2Q/cDNe2nB6z5iTvvMf0mvpkfgnq5q+Q==";
pub(crate) const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo=";
pub(crate) const SK_ECDSA: &str = "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBHFDdAy23F+GeuCEP2XkaPDZPVxgCKgdJUY+n2PiSACLdE1GJZhT3ZHQWeswYwLH5Dgr5IZvTQZgN8rn2rFiwmgAAAAEc3NoOg==";
pub(crate) const DSA: &str = "ssh-dss AAAAB3NzaC1kc3MAAACBAP//////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////AAAAFQDx8fHx8fHx8fHx8fHx8fHx8fHx8QAAAAECAAAAAQM=";
/// By ssh-keygen: Anna's key, principal `ann`, serial 7, for ever.
pub(crate) const CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIPPJGtTLdKiUtP3BRTfCOyT6mF5f8FpN4TBU89zAggmxAAAAIKDarEXtR9tcG0Dd/cSGqLRQ31u3SXSY0qxGY+4XL0q9AAAAAAAAAAcAAAABAAAAC2FubmEtbGFwdG9wAAAABwAAAANhbm4AAAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgOdthsZd0DdL0LwfreB0abGbgXTe2GvAPCVOKzbSi+9IAAABTAAAAC3NzaC1lZDI1NTE5AAAAQEHdcriS5iUC+xmPs65jY7d9MlN3p7AjRdLYMVBjqCGCKKFW0UtpTzNZEZe3QJQd5cdHh+zo/lbaXYNoZD56IwI=";
/// The authority of [`CERTIFICATE`].
pub(crate) const AUTHORITY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnbYbGXdA3S9C8H63gdGmxm4F03thrwDwlTis20ovvS";

/// The private key of a seed.
pub(crate) fn private(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

/// The line of the public key of a seed.
pub(crate) fn line(seed: u8) -> String {
    private(seed).public_key().to_openssh().unwrap()
}

/// The key of a line, proven.
pub(crate) fn proven(line: &str) -> ProvenKey {
    let key = PublicKey::from_openssh(line).unwrap();
    ProvenKey::key(key.algorithm(), &key)
}

/// What a certificate of the authority of seed 1 for the key of seed 2 says.
pub(crate) struct Draft {
    pub(crate) kind: CertType,
    pub(crate) principals: &'static [&'static str],
    pub(crate) valid: (u64, u64),
    pub(crate) critical: &'static [(&'static str, &'static str)],
    pub(crate) serial: u64,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            kind: CertType::User,
            principals: &["ann"],
            valid: (1_600_000_000, 1_800_000_000),
            critical: &[],
            serial: 7,
        }
    }
}

impl Draft {
    pub(crate) fn sign(&self) -> Certificate {
        self.sign_by(1)
    }

    pub(crate) fn sign_by(&self, authority: u8) -> Certificate {
        let key = private(2);
        let (after, before) = self.valid;
        let mut builder = Builder::new([9; 16], key.public_key().clone(), after, before).unwrap();
        builder.serial(self.serial).unwrap();
        builder.key_id("anna-laptop").unwrap();
        builder.cert_type(self.kind).unwrap();
        for principal in self.principals {
            builder.valid_principal(*principal).unwrap();
        }
        if self.principals.is_empty() {
            builder.all_principals_valid().unwrap();
        }
        for (option, value) in self.critical {
            builder.critical_option(*option, *value).unwrap();
        }
        builder.extension("permit-pty", "").unwrap();
        builder.sign(&private(authority)).unwrap()
    }
}

/// A certificate whose key was proven.
pub(crate) fn certified(certificate: &Certificate) -> ProvenKey {
    ProvenKey::certificate(certificate.algorithm(), certificate)
}
