//! What must be under TLS, for everybody and for one account (TLS-20 to TLS-23).

use rustls::version::TLS13;
use wharf_accounts::RequireTls as Account;
use wharf_proto::ftp::server::RequireTls;

use super::*;

#[tokio::test]
async fn tls_20_a_login_in_the_clear_is_534() {
    let mut plan = Plan::secure();
    plan.rules().require = RequireTls::Login;
    let house = plan.open().await;
    let mut client = Client::connect(&house).await;
    client.ask("USER anna", 534).await;
    client.ask("PASS secret", 534).await;
    client.ask("PWD", 534).await;
    for allowed in ["FEAT", "SYST", "NOOP"] {
        assert!(client.say(allowed).await.code < 300, "{allowed}");
    }
    let mut secure = SecureClient::login(&house, &TLS13).await;
    secure.client.ask("PROT C", 200).await;
    assert_eq!(secure.client.fetch("NLST").await, b"disk\r\nsmall\r\n");
}

#[tokio::test]
async fn tls_21_transfers_in_the_clear_are_521_before_the_150() {
    let mut plan = Plan::secure();
    plan.rules().require = RequireTls::Data;
    let house = plan.open().await;
    let mut client = Client::login(&house, "anna").await;
    for command in ["LIST", "NLST", "MLSD", "RETR x", "STOR x", "APPE x", "STOU"] {
        client.passive_address().await;
        client.ask(command, 521).await;
    }
    let mut secure = SecureClient::login(&house, &TLS13).await;
    assert_eq!(secure.fetch("NLST").await, b"disk\r\nsmall\r\n");
    secure.client.ask("PROT C", 200).await;
    secure.client.passive_address().await;
    secure.client.ask("NLST", 521).await;
}

#[tokio::test]
async fn tls_22_with_both_prot_c_itself_is_534() {
    let mut plan = Plan::secure();
    plan.rules().require = RequireTls::Both;
    let house = plan.open().await;
    let mut secure = SecureClient::login(&house, &TLS13).await;
    secure.client.ask("PROT C", 534).await;
    assert_eq!(secure.fetch("NLST").await, b"disk\r\nsmall\r\n");
}

/// TLS-23: anonymous in the clear, named users under TLS only. No name is confirmed to somebody who
/// does not hold its password.
#[tokio::test]
async fn tls_23_an_account_may_ask_for_tls_where_the_service_does_not() {
    let mut plan = Plan::secure();
    plan.people = |people| {
        for account in people {
            if !account.is_anonymous() {
                account.require_tls = Account::Login;
            }
        }
    };
    let house = plan.open().await;
    let mut replies = Vec::new();
    for (user, password) in [("anna", "wrong"), ("nobody", "secret"), ("anna", "secret")] {
        let mut client = Client::connect(&house).await;
        client.ask(&format!("USER {user}"), 331).await;
        replies.push(client.ask(&format!("PASS {password}"), 530).await);
    }
    // Neither the name nor the password is confirmed in clear.
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    assert!(replies[0].text.contains("TLS required"), "{replies:?}");
    let mut client = Client::connect(&house).await;
    client.ask("USER anonymous", 331).await;
    client.ask("PASS me@example.org", 230).await;
    client.fetch("NLST").await;
    SecureClient::login(&house, &TLS13).await;
}

#[tokio::test]
async fn tls_23_an_account_may_ask_for_protected_transfers() {
    let mut plan = Plan::secure();
    plan.rules().ccc = true;
    plan.people = |people| people[0].require_tls = Account::Both;
    let house = plan.open().await;
    let mut secure = SecureClient::login(&house, &TLS13).await;
    secure.client.ask("PROT C", 534).await;
    secure.client.ask("CCC", 534).await;
    assert_eq!(secure.fetch("NLST").await, b"disk\r\nsmall\r\n");
    // The next account has rules of its own.
    secure.enter("rita").await;
    secure.client.ask("PROT C", 200).await;
    assert_eq!(secure.client.fetch("NLST").await, b"disk\r\nsmall\r\n");
}

/// TLS-07, CVE-2021-3618 (ALPACA).
#[tokio::test]
async fn tls_07_a_browser_is_not_listened_to() {
    let house = Plan::secure().open().await;
    for (offer, expected) in [
        (vec!["h2", "http/1.1"], None),
        (vec!["http/1.1", "ftp"], Some(Some(b"ftp".as_slice()))),
        (vec![], Some(None)),
    ] {
        let mut config = house.client_config(&TLS13);
        config.alpn_protocols = offer.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut secure = SecureClient {
            client: Client::connect_to(house.implicit).await,
            config: Arc::new(config),
        };
        let shaken = secure.shake_hands().await;
        let Some(expected) = expected else {
            let error = shaken.unwrap_err().to_string();
            assert!(error.contains("NoApplicationProtocol"), "{error}");
            continue;
        };
        shaken.unwrap();
        let layer = secure.client.tls.as_ref().unwrap();
        assert_eq!(layer.tls.alpn_protocol(), expected);
        secure.client.expect(220).await;
    }
}
