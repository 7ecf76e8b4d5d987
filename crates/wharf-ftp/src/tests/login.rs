//! USER, PASS, REIN, QUIT: who is there.

use super::*;

#[tokio::test]
async fn quit_says_goodbye_and_closes() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    let address = client.passive_address().await;
    client.ask("QUIT", 221).await;
    client.expect_end(&[]).await;
    // DAT-11: the listener goes first.
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    house.emptied().await;
}

#[tokio::test]
async fn a_login_leads_home_and_rein_leads_out_again() {
    let house = House::usual().await;
    let mut client = Client::connect(&house).await;
    client.ask("PWD", 530).await;
    client.ask("PASS secret", 503).await;
    client.ask("USER anna", 331).await;
    client.ask("PASS wrong", 530).await;
    client.ask("USER anna", 331).await;
    client.ask("PASS secret", 230).await;
    client.ask("MKD d", 257).await;
    client.ask("CWD d", 250).await;
    assert_eq!(client.ask("PWD", 257).await.quoted(), "/d");
    client.ask("REIN", 220).await;
    client.ask("PWD", 530).await;
    client.ask("USER rita", 331).await;
    client.ask("PASS secret", 230).await;
    assert_eq!(client.ask("PWD", 257).await.quoted(), "/");
    client.ask("RMD d", 550).await;
    assert_eq!(house.events("LoggedIn").len(), 2);
    assert_eq!(house.events("LoginFailed").len(), 1);
}

/// USER in a session ends the present login first: its directory, its listener, its rights.
#[tokio::test]
async fn user_in_a_session_ends_the_login_and_closes_the_listener() {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    client.ask("MKD d", 257).await;
    client.ask("CWD d", 250).await;
    let address = client.passive_address().await;
    client.ask("USER rita", 331).await;
    assert!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "DAT-11"
    );
    client.ask("PWD", 530).await;
    client.ask("PASS secret", 230).await;
    assert_eq!(client.ask("PWD", 257).await.quoted(), "/");
    client.ask("MKD e", 550).await;
    // RFC 959 4.1.1: TYPE stays as it was.
    assert!(client.ask("STAT", 211).await.text.contains("TYPE: Image"));
}

/// One text for a bad name and a bad password (RFC 2577 5), and 421 after three.
#[tokio::test]
async fn failed_logins_read_the_same_and_the_third_closes() {
    let house = House::usual().await;
    let mut client = Client::connect(&house).await;
    let mut texts = Vec::new();
    for user in ["anna", "nobody"] {
        client.ask(&format!("USER {user}"), 331).await;
        texts.push(client.ask("PASS wrong", 530).await.text);
    }
    assert_eq!(texts[0], texts[1]);
    client.ask("USER anna", 331).await;
    client.line("PASS wrong").await;
    client.expect_end(&[421]).await;
    house.emptied().await;
}

#[tokio::test]
async fn a_full_account_says_so_and_lets_in_again_after_a_logout() {
    let mut plan = Plan::default();
    plan.policy.per_account = 1;
    let house = plan.open().await;
    let mut first = Client::login(&house, "anna").await;
    let mut second = Client::connect(&house).await;
    second.ask("USER anna", 331).await;
    assert!(
        second
            .ask("PASS secret", 530)
            .await
            .text
            .contains("Too many")
    );
    first.ask("REIN", 220).await;
    second.ask("USER anna", 331).await;
    second.ask("PASS secret", 230).await;
}
