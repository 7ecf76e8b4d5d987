//! An SSH server that does what a test wishes, and tells what it heard.

use std::{
    borrow::Cow,
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use russh::{
    Channel, ChannelId, Limits, MethodKind, MethodSet, Preferred, SshId, compression,
    keys::{Algorithm, Certificate, PrivateKey, PublicKey, key::safe_rng},
    server::{
        self, Auth, ChannelOpenHandle, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Octets that `exec` sends in answer to `many`.
pub(super) const MANY: usize = 3 * 1024 * 1024;

/// What the server is like.
pub(super) struct Wish {
    pub(super) host_keys: Vec<PrivateKey>,
    pub(super) host_certificates: Vec<Certificate>,
    pub(super) password: Option<&'static str>,
    pub(super) keys: Vec<PublicKey>,
    /// Certificates of this authority are accepted.
    pub(super) authority: Option<PublicKey>,
    /// Questions of keyboard-interactive, with whether the answer is shown, and the right answers.
    pub(super) questions: Vec<(&'static str, bool, &'static str)>,
    /// Proofs that are wanted one after the other; one is enough when empty.
    pub(super) steps: Vec<MethodKind>,
    pub(super) banner: Option<&'static str>,
    pub(super) preferred: Option<Preferred>,
    pub(super) has_sftp: bool,
    /// What `scp -f` sends, whatever it is asked for; nothing: there is no scp.
    pub(super) copied: Option<&'static str>,
    /// Sessions that one connection may have open.
    pub(super) most_sessions: usize,
    pub(super) most_attempts: usize,
    pub(super) limits: Limits,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            host_keys: vec![private()],
            host_certificates: Vec::new(),
            password: None,
            keys: Vec::new(),
            authority: None,
            questions: Vec::new(),
            steps: Vec::new(),
            banner: None,
            preferred: None,
            has_sftp: true,
            copied: None,
            most_sessions: usize::MAX,
            most_attempts: 20,
            limits: Limits::default(),
        }
    }
}

/// A new key.
pub(super) fn private() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

/// It runs until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) host_keys: Vec<PublicKey>,
    heard: Arc<Mutex<Vec<String>>>,
    _running: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(wish: Wish) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let host_keys = wish
            .host_keys
            .iter()
            .map(|key| key.public_key().clone())
            .collect();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let config = Arc::new(server::Config {
            server_id: SshId::Standard("SSH-2.0-Test".into()),
            methods: methods(&wish),
            auth_rejection_time: Duration::ZERO,
            keys: wish.host_keys.clone(),
            certificates: wish.host_certificates.clone(),
            preferred: wish.preferred.clone().unwrap_or_else(|| Preferred {
                compression: vec![compression::NONE].into(),
                ..Preferred::default()
            }),
            max_auth_attempts: wish.most_attempts,
            limits: wish.limits.clone(),
            ..server::Config::default()
        });
        let wish = Arc::new(wish);
        let mut running = JoinSet::new();
        let telling = Arc::clone(&heard);
        running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let session = Serving {
                    wish: Arc::clone(&wish),
                    heard: Arc::clone(&telling),
                    done: 0,
                    open: HashMap::new(),
                };
                let config = Arc::clone(&config);
                connections.spawn(async move {
                    if let Ok(running) = server::run_stream(config, stream, session).await {
                        let _ = running.await;
                    }
                });
            }
        });
        Self {
            address,
            host_keys,
            heard,
            _running: running,
        }
    }

    /// What was tried, in order.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether something that begins like this was heard.
    pub(super) fn has_heard(&self, what: &str) -> bool {
        self.heard().iter().any(|line| line.starts_with(what))
    }

    pub(super) fn url(&self) -> String {
        format!("sftp://ann@127.0.0.1:{}/", self.address.port())
    }

    /// Its first key as a line of a file of known hosts.
    pub(super) fn line(&self) -> String {
        let key = self.host_keys[0].to_openssh().unwrap();
        format!("[127.0.0.1]:{} {key}\n", self.address.port())
    }
}

fn methods(wish: &Wish) -> MethodSet {
    if let Some(first) = wish.steps.first() {
        return MethodSet::from(&[*first][..]);
    }
    let mut found = MethodSet::empty();
    if !wish.keys.is_empty() || wish.authority.is_some() {
        found.push(MethodKind::PublicKey);
    }
    if !wish.questions.is_empty() {
        found.push(MethodKind::KeyboardInteractive);
    }
    if wish.password.is_some() || found.is_empty() {
        found.push(MethodKind::Password);
    }
    found
}

/// One connection.
struct Serving {
    wish: Arc<Wish>,
    heard: Arc<Mutex<Vec<String>>>,
    /// Steps that are done.
    done: usize,
    /// Sessions that are open, and the octets that came on each.
    open: HashMap<ChannelId, usize>,
}

impl Serving {
    fn tell(&self, line: String) {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }

    fn decide(&mut self, right: bool) -> Auth {
        if !right {
            // A wrong proof may be given again.
            let methods = match self.wish.steps.get(self.done) {
                Some(step) => MethodSet::from(&[*step][..]),
                None => methods(&self.wish),
            };
            return Auth::Reject {
                proceed_with_methods: Some(methods),
                partial_success: false,
            };
        }
        self.done += 1;
        match self.wish.steps.get(self.done) {
            None => Auth::Accept,
            Some(next) => Auth::Reject {
                proceed_with_methods: Some(MethodSet::from(&[*next][..])),
                partial_success: true,
            },
        }
    }

    fn fingerprint(key: &PublicKey) -> String {
        key.fingerprint(russh::keys::HashAlg::Sha256).to_string()
    }
}

impl server::Handler for Serving {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        self.tell(format!("none {user}"));
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        self.tell(format!("password {user} {password}"));
        let right = self.wish.password == Some(password);
        Ok(self.decide(right))
    }

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        self.tell(format!("offer {}", Self::fingerprint(offer.public_key)));
        let known = self
            .wish
            .keys
            .iter()
            .any(|key| key.key_data() == offer.public_key.key_data());
        Ok(if known || self.wish.authority.is_some() {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        self.tell(format!(
            "key {user} {} {}",
            key.algorithm,
            Self::fingerprint(key.public_key)
        ));
        let right = self
            .wish
            .keys
            .iter()
            .any(|known| known.key_data() == key.public_key.key_data());
        Ok(self.decide(right))
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        self.tell(format!("certificate {user} {}", certificate.key_id()));
        let authority = self.wish.authority.as_ref().map(PublicKey::key_data);
        let right = authority == Some(certificate.signature_key());
        Ok(self.decide(right))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(response) = response else {
            let asked = self.wish.questions.iter();
            let prompts: Vec<_> = asked
                .map(|(text, echo, _)| (Cow::Borrowed(*text), *echo))
                .collect();
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "speak\u{1b}[2J friend".into(),
                prompts: prompts.into(),
            });
        };
        let answers: Vec<String> = response
            .map(|answer| String::from_utf8_lossy(&answer).into_owned())
            .collect();
        self.tell(format!("answers {}", answers.join(" ")));
        let right = self
            .wish
            .questions
            .iter()
            .map(|(_, _, answer)| *answer)
            .eq(answers);
        Ok(self.decide(right))
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(self.wish.banner.map(str::to_owned))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.open.len() == self.wish.most_sessions {
            // As OpenSSH behind MaxSessions.
            reply.reject(russh::ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        self.open.insert(channel.id(), 0);
        reply.accept().await;
        Ok(())
    }

    /// A sink has said three times that it is content, or says nothing more: the copy is done.
    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(answers) = self.open.get_mut(&channel) else {
            return Ok(());
        };
        *answers += data.len();
        if *answers < 3 {
            return Ok(());
        }
        self.channel_eof(channel, session).await
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.open.remove(&channel).is_some() {
            session.exit_status_request(channel, 0)?;
            session.eof(channel)?;
            session.close(channel)?;
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.open.remove(&channel) {
            Some(_) => session.close(channel),
            None => Ok(()),
        }
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.tell(format!("tunnel {host} {port}"));
        let Ok(mut there) = TcpStream::connect((host, u16::try_from(port).unwrap())).await else {
            reply.reject(russh::ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        reply.accept().await;
        tokio::spawn(async move {
            let mut here = channel.into_stream();
            let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
        });
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.tell(format!("subsystem {name}"));
        if self.wish.has_sftp {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.tell(format!("exec {command}"));
        match command.as_str() {
            "many" => {
                session.channel_success(channel)?;
                session.data(channel, vec![7; MANY])?;
                session.exit_status_request(channel, 0)?;
                session.eof(channel)?;
                session.close(channel)
            }
            "leave" => session.disconnect(
                russh::Disconnect::ByApplication,
                "gone\u{1b}]0;fishing\u{7}",
                "",
            ),
            "close" => session.close(channel),
            scp if scp.starts_with("scp ") && self.wish.copied.is_some() => {
                session.channel_success(channel)?;
                let text = self.wish.copied.unwrap_or_default();
                let name = scp.rsplit([' ', '/']).next().unwrap_or_default();
                let name = name.trim_matches('\'');
                let sent = format!("C0644 {} {name}\n{text}\0", text.len());
                session.data(channel, sent.into_bytes())
            }
            _ => session.channel_failure(channel),
        }
    }
}
