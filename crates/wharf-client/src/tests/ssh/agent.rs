//! Keys that an agent holds.

use futures::stream;
use russh::keys::{
    PrivateKey,
    agent::{client::AgentClient, server},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

use super::{Case, Server, Wish, private};

/// An agent that holds keys until it is dropped.
struct Agent(JoinHandle<()>);

impl Agent {
    async fn holding(case: &mut Case, keys: &[&PrivateKey]) -> Self {
        let path = case.path("agent");
        let listener = UnixListener::bind(&path).unwrap();
        let connections = Box::pin(stream::unfold(listener, async |listener| {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        }));
        let serving = tokio::spawn(async move {
            let _ = server::serve(connections, ()).await;
        });
        let mut client = AgentClient::connect(UnixStream::connect(&path).await.unwrap());
        for key in keys {
            client.add_identity(key, &[]).await.unwrap();
        }
        case.options.ssh.agent = Some(path);
        Self(serving)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn server_for(key: &PrivateKey) -> Server {
    Server::start(Wish {
        keys: vec![key.public_key().clone()],
        ..Wish::default()
    })
    .await
}

#[tokio::test]
async fn key_of_the_agent_signs_and_goes_before_those_in_files() {
    let key = private();
    let server = server_for(&key).await;
    let mut case = Case::knowing(&server);
    case.write_key("id_ed25519", &private());
    let _agent = Agent::holding(&mut case, &[&key]).await;
    case.open(&server.url()).await.unwrap();
    let offers = server
        .heard()
        .iter()
        .filter(|line| line.starts_with("offer"))
        .count();
    assert_eq!(offers, 1, "{:?}", server.heard());
}

#[tokio::test]
async fn other_keys_of_the_agent_stay_unused_when_only_named_ones_are_wanted() {
    let (named, other) = (private(), private());
    let server = server_for(&named).await;
    let mut case = Case::knowing(&server);
    let public = case.write("named.pub", &named.public_key().to_openssh().unwrap());
    let _agent = Agent::holding(&mut case, &[&other, &named]).await;
    case.options.ssh.identities = vec![public];
    case.options.ssh.identities_only = true;
    case.open(&server.url()).await.unwrap();
    let offers = server
        .heard()
        .iter()
        .filter(|line| line.starts_with("offer"))
        .count();
    assert_eq!(offers, 1);
    case.options.ssh.identities = Vec::new();
    let error = case.open(&server.url()).await.err().unwrap();
    assert_eq!(error.cause(), Some("S06"));
}

#[tokio::test]
async fn certificate_in_a_file_is_signed_for_by_the_agent() {
    let (key, authority) = (private(), private());
    let server = Server::start(Wish {
        authority: Some(authority.public_key().clone()),
        ..Wish::default()
    })
    .await;
    let mut case = Case::knowing(&server);
    let _agent = Agent::holding(&mut case, &[&key]).await;
    let public = key.public_key().key_data().clone();
    let mut builder =
        ssh_key::certificate::Builder::new(*b"0123456789abcdef", public, 0, u64::MAX).unwrap();
    builder.valid_principal("ann").unwrap();
    builder.key_id("card-8").unwrap();
    let text = builder.sign(&authority).unwrap().to_openssh().unwrap();
    case.options.ssh.certificates = vec![case.write("cert.pub", &text)];
    case.open(&server.url()).await.unwrap();
    assert!(
        server.has_heard("certificate ann card-8"),
        "{:?}",
        server.heard()
    );
}

#[tokio::test]
async fn agent_that_is_gone_is_no_failure_by_itself() {
    let key = private();
    let server = server_for(&key).await;
    let mut case = Case::knowing(&server);
    case.write_key("id_ed25519", &key);
    case.options.ssh.agent = Some("/does/not/exist".into());
    case.open(&server.url()).await.unwrap();
    assert!(case.person.told().contains("does not answer"));
}

/// CVE-2026-46673: an agent's length is not believed.
#[tokio::test]
async fn cve_2026_46673_agent_that_promises_too_much_is_left() {
    let key = private();
    let server = server_for(&key).await;
    let mut case = Case::knowing(&server);
    case.write_key("id_ed25519", &key);
    let path = case.path("agent");
    let listener = UnixListener::bind(&path).unwrap();
    let promising = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // To both questions; then it says nothing more and stays: who believed it would wait, with
        // room for 4 GiB.
        stream.write_all(&[0xff; 8]).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    case.options.ssh.agent = Some(path);
    case.open(&server.url()).await.unwrap();
    assert!(case.person.told().contains("does not answer"));
    promising.await.unwrap();
}
