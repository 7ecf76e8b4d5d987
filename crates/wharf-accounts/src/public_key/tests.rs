//! Which keys are good enough, and which certificates open an account.

use std::net::IpAddr;

use ssh_key::{Certificate, PublicKey, certificate::CertType};

use super::{
    decision::{Circumstances, Listed, decide},
    samples::*,
    *,
};
use crate::{AuthorizedKeys, UserAuthorities};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));
const NOW: u64 = 1_700_000_000;

fn trusting(authority: &str, revoked: &str) -> UserAuthorities {
    let mut authorities = UserAuthorities::default();
    authorities.add_authorities(authority.as_bytes()).unwrap();
    authorities.revoke(revoked.as_bytes()).unwrap();
    authorities
}

fn asked(
    key: &ProvenKey,
    list: &str,
    authorities: &UserAuthorities,
    unix_now: u64,
) -> Result<(), KeyRefusal> {
    let list = AuthorizedKeys::parse(list.as_bytes());
    let listed = Listed {
        own: &[],
        file: Some(&list),
    };
    let at = Circumstances {
        user: "ann",
        peer: PEER,
        unix_now,
        authorities,
    };
    decide(key.shown(), &listed, at)
}

fn by_list(key: &ProvenKey, list: &str) -> Result<(), KeyRefusal> {
    asked(key, list, &UserAuthorities::default(), NOW)
}

fn by_authority(certificate: &Certificate) -> Result<(), KeyRefusal> {
    asked(&certified(certificate), "", &trusting(&line(1), ""), NOW)
}

#[test]
fn sft_05_ed25519_ecdsa_rsa_and_both_security_keys_are_good_dsa_and_short_rsa_are_not() {
    let strength = |line: &str| check_strength(PublicKey::from_openssh(line).unwrap().key_data());
    for good in [ED25519, ECDSA, RSA_2048, SK_ED25519, SK_ECDSA] {
        assert_eq!(strength(good), Ok(()), "{good}");
    }
    assert_eq!(strength(RSA_1024), Err(WeakKey::Rsa(1024)));
    assert_eq!(strength(DSA), Err(WeakKey::Kind("ssh-dss".to_owned())));
    let certificate = Certificate::from_openssh(CERTIFICATE).unwrap();
    assert!(check_strength(&KeyData::from(certificate)).is_err());
}

#[test]
fn sft_06_a_listed_key_opens_from_its_addresses_until_its_time() {
    let key = proven(ED25519);
    for list in [
        ED25519.to_owned(),
        format!("{ECDSA} other\nrestrict,from=\"192.0.2.*\",expiry-time=\"20991231\" {ED25519} me"),
        format!("from=\"10.0.0.1\" {ED25519}\n{ED25519}"),
    ] {
        assert_eq!(by_list(&key, &list), Ok(()), "{list}");
    }
    let unlisted = Err(KeyRefusal::Unlisted(fingerprint(
        PublicKey::from_openssh(ED25519).unwrap().key_data(),
    )));
    assert_eq!(by_list(&key, ""), unlisted);
    assert_eq!(by_list(&key, ECDSA), unlisted);
    for (list, cause) in [
        (
            format!("from=\"10.0.0.0/8\" {ED25519}"),
            KeyRefusal::Address(PEER),
        ),
        (
            format!("from=\"*,!192.0.2.9\" {ED25519}"),
            KeyRefusal::Address(PEER),
        ),
        (
            format!("expiry-time=\"20231114221320\" {ED25519}"),
            KeyRefusal::Expired,
        ),
    ] {
        assert_eq!(by_list(&key, &list), Err(cause), "{list}");
    }
    // A second before it still opens.
    let nearly = format!("expiry-time=\"20231114221321Z\" {ED25519}");
    assert_eq!(by_list(&key, &nearly), Ok(()));
}

#[test]
fn sft_06_a_key_with_an_unknown_option_opens_nothing_and_its_line_is_told() {
    let list = format!("# mine\n\nverify-required {ED25519}\n");
    let Err(KeyRefusal::Line(told)) = by_list(&proven(ED25519), &list) else {
        panic!("opened");
    };
    assert!(
        told.starts_with("line 3: the option `verify-required`"),
        "{told}"
    );
    let weak = by_list(&proven(RSA_1024), RSA_1024);
    assert!(matches!(weak, Err(KeyRefusal::Line(_))), "{weak:?}");
}

#[test]
fn an_authority_is_no_key_to_log_in_with() {
    let list = format!("cert-authority {}", line(1));
    let refused = by_list(&proven(&line(1)), &list);
    assert!(
        matches!(refused, Err(KeyRefusal::Unlisted(_))),
        "{refused:?}"
    );
}

#[test]
fn a_revoked_key_opens_nothing_though_it_is_listed() {
    let key = proven(ED25519);
    let print = fingerprint(PublicKey::from_openssh(ED25519).unwrap().key_data());
    for revoked in [
        ED25519.to_owned(),
        format!("# gone\n\nkey: {ED25519} lost"),
        format!("sha256: {print}"),
        CERTIFICATE.to_owned(),
    ] {
        let refused = asked(&key, ED25519, &trusting("", &revoked), NOW);
        assert_eq!(refused, Err(KeyRefusal::Revoked), "{revoked}");
    }
}

#[test]
fn a_certificate_of_a_trusted_authority_opens_the_account_that_it_names() {
    let made_by_openssh = Certificate::from_openssh(CERTIFICATE).unwrap();
    let trusting_it = trusting(&format!("# ours\n{AUTHORITY} ca"), "");
    assert_eq!(
        asked(&certified(&made_by_openssh), "", &trusting_it, NOW),
        Ok(())
    );
    assert_eq!(by_authority(&Draft::default().sign()), Ok(()));
    let among = Draft {
        principals: &["bob", "ann"],
        ..Draft::default()
    };
    assert_eq!(by_authority(&among.sign()), Ok(()));
}

#[test]
fn a_certificate_opens_nothing_that_it_was_not_made_for() {
    let refusals = [
        (
            Draft {
                kind: CertType::Host,
                ..Draft::default()
            },
            KeyRefusal::HostCertificate,
        ),
        (
            Draft {
                principals: &["bob", "Ann", "an"],
                ..Draft::default()
            },
            KeyRefusal::Principal,
        ),
        // PROTOCOL.certkeys: such a certificate is for everybody. It is for nobody here.
        (
            Draft {
                principals: &[],
                ..Draft::default()
            },
            KeyRefusal::Principal,
        ),
        (
            Draft {
                valid: (NOW + 1, NOW + 2),
                ..Draft::default()
            },
            KeyRefusal::Validity,
        ),
        (
            Draft {
                valid: (1, NOW),
                ..Draft::default()
            },
            KeyRefusal::Validity,
        ),
        (
            Draft {
                critical: &[("source-address", "10.0.0.0/8")],
                ..Draft::default()
            },
            KeyRefusal::Critical("\"source-address\"".to_owned()),
        ),
        (
            Draft {
                critical: &[("source-address", "*")],
                ..Draft::default()
            },
            KeyRefusal::Critical("\"source-address\"".to_owned()),
        ),
        (
            Draft {
                critical: &[("force-command", "/bin/sh")],
                ..Draft::default()
            },
            KeyRefusal::Critical("\"force-command\"".to_owned()),
        ),
        (
            Draft {
                critical: &[("verify-required", "")],
                ..Draft::default()
            },
            KeyRefusal::Critical("\"verify-required\"".to_owned()),
        ),
    ];
    for (draft, refusal) in refusals {
        assert_eq!(by_authority(&draft.sign()), Err(refusal));
    }
    let met = Draft {
        critical: &[
            ("force-command", "internal-sftp"),
            ("source-address", "192.0.2.0/24,10.0.0.1"),
        ],
        ..Draft::default()
    };
    assert_eq!(by_authority(&met.sign()), Ok(()));
}

#[test]
fn a_certificate_of_an_unknown_authority_or_with_a_wrong_signature_opens_nothing() {
    let other = Draft::default().sign_by(3);
    assert!(matches!(
        by_authority(&other),
        Err(KeyRefusal::Authority(_))
    ));
    // The last octet belongs to the signature.
    let mut bytes = Draft::default().sign().to_bytes().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let forged = Certificate::from_bytes(&bytes).unwrap();
    assert_eq!(by_authority(&forged), Err(KeyRefusal::Signature));
    // A listed plain key does not make a certificate over it good.
    let listed = asked(&certified(&other), &line(2), &trusting("", ""), NOW);
    assert!(
        matches!(listed, Err(KeyRefusal::Authority(_))),
        "{listed:?}"
    );
}

#[test]
fn an_authority_of_the_account_alone_names_its_principals() {
    let certificate = certified(&Draft::default().sign());
    let own = format!("cert-authority {}", line(1));
    assert_eq!(by_list(&certificate, &own), Ok(()));
    let wanted = format!("cert-authority,principals=\"deploy,ann\" {}", line(1));
    assert_eq!(by_list(&certificate, &wanted), Ok(()));
    let others = format!("cert-authority,principals=\"deploy\" {}", line(1));
    assert_eq!(by_list(&certificate, &others), Err(KeyRefusal::Principal));
    let elsewhere = format!("cert-authority,from=\"10.0.0.1\" {}", line(1));
    assert_eq!(
        by_list(&certificate, &elsewhere),
        Err(KeyRefusal::Address(PEER))
    );
    let bare = by_list(&certificate, &line(1));
    assert!(matches!(bare, Err(KeyRefusal::Authority(_))), "{bare:?}");
}

#[test]
fn certificates_are_revoked_by_serial_identity_key_and_authority() {
    let certificate = certified(&Draft::default().sign());
    for revoked in [
        "serial: 7".to_owned(),
        "serial: 1-9".to_owned(),
        "id: anna-laptop".to_owned(),
        line(2),
        line(1),
    ] {
        let refused = asked(&certificate, "", &trusting(&line(1), &revoked), NOW);
        assert_eq!(refused, Err(KeyRefusal::Revoked), "{revoked}");
    }
    let others = "serial: 8-9\nserial: 6\nid: anna";
    assert_eq!(
        asked(&certificate, "", &trusting(&line(1), others), NOW),
        Ok(())
    );
}

#[test]
fn what_was_proven_is_told_by_fingerprint_identity_and_authority() {
    let told = proven(ED25519).to_string();
    assert!(told.starts_with("ssh-ed25519 SHA256:"), "{told}");
    let told = certified(&Draft::default().sign()).to_string();
    assert!(
        told.contains("certificate \"anna-laptop\" serial 7 by SHA256:"),
        "{told}"
    );
}
