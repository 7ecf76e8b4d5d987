//! One connection: the way there, the host key, the login, and channels on it.

use std::{sync::Arc, time::Duration};

use russh::{Channel, ChannelMsg, Disconnect, SshId, client};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{
    Context, authentication, diagnosis,
    greeting::{Greeted, Heard},
    host_key::{Ground, Judge, Verdict},
    known_hosts::{self, KnownHosts},
    learn,
    target::{Jump, Target},
    watch::{Told, Watch},
};
use crate::{Answer, Error, Kind, Question, Result, Step, connect, local::blocking_result};

/// What we call ourselves (RFC 4253 4.2).
const VERSION: &str = concat!("SSH-2.0-Wharf_", env!("CARGO_PKG_VERSION"));

/// Octets that a server may send on a channel before it hears of us again.
const WINDOW: u32 = 16 * 1024 * 1024;

/// Octets of one packet's data; `russh` takes no more.
const PACKET: u32 = 65_535;

/// Messages of one channel that wait for whoever reads it.
const MESSAGES: usize = 256;

/// Keepalives without an answer, after which the server is given up.
const SILENT_KEEPALIVES: usize = 3;

/// Jumps within jumps.
const DEEPEST: usize = 8;

/// Time for a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection that is logged in.
pub(crate) struct Connection {
    handle: Arc<client::Handle<Watch>>,
    told: Arc<Told>,
    heard: Heard,
    login: String,
    limit: Duration,
    /// The connection that this one runs through; lives as long.
    through: Option<Box<Self>>,
}

impl Connection {
    /// Connects, through other hosts where the configuration says so, verifies the host key, and
    /// logs in.
    ///
    /// # Errors
    /// By step: the name, the connection, the greeting, SSH's key exchange and host key, the login;
    /// each says how to mend it.
    pub(crate) async fn open(context: &Arc<Context>) -> Result<Self> {
        let site = context.site.clone();
        let target = resolve(context, site, false).await?;
        Box::pin(Self::open_at(context, target, 0)).await
    }

    /// As [`Self::open`], at a host whose configuration is read already.
    async fn open_at(context: &Arc<Context>, target: Target, depth: usize) -> Result<Self> {
        for note in &target.notes {
            context.note(note.clone());
        }
        loop {
            let through = Box::pin(Self::on_the_way(context, &target.jumps, depth)).await?;
            let attempt = match through {
                None => {
                    let stream = connect::connect(&target.site, &context.options).await?;
                    // Requests are small and waited for.
                    let _ = stream.set_nodelay(true);
                    Box::pin(Begun::begin(context, &target, stream)).await
                }
                Some(ref through) => {
                    let channel = through.tunnel(&target).await?;
                    Box::pin(Begun::begin(context, &target, channel.into_stream())).await
                }
            };
            let begun = match attempt? {
                Attempt::Begun(begun) => begun,
                // Agreed to now: everything again. A person agrees at most once to one key.
                Attempt::AnotherConnection => continue,
            };
            return Box::pin(begun.log_in(context, &target, through.map(Box::new))).await;
        }
    }

    /// Opens the connections that lead to a host, each through the last.
    async fn on_the_way(
        context: &Arc<Context>,
        jumps: &[Jump],
        depth: usize,
    ) -> Result<Option<Self>> {
        let Some((last, before)) = jumps.split_last() else {
            return Ok(None);
        };
        if depth == DEEPEST {
            return Err(Error::new(
                Step::Connect,
                Kind::Usage,
                format!("more than {DEEPEST} hosts on the way: does one ProxyJump lead to itself?"),
            ));
        }
        let mut target = resolve(context, last.site.clone(), true).await?;
        if !before.is_empty() {
            target.jumps = before.to_vec();
        }
        context.tell(&format!("through {}", target.login()));
        Box::pin(Self::open_at(context, target, depth + 1))
            .await
            .map(Some)
    }

    /// A channel to another host (RFC 4254 7.2).
    async fn tunnel(&self, target: &Target) -> Result<Channel<client::Msg>> {
        let (host, port) = (target.site.host.clone(), target.site.port);
        let opening = self
            .handle
            .channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0);
        match timeout(self.limit, opening).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(diagnosis::no_tunnel(&self.login, &target.site, &error)),
            Err(_) => Err(self.silent(Step::Connect)),
        }
    }

    /// A channel with the SFTP subsystem on it.
    ///
    /// # Errors
    /// [`Kind::Rejected`] when the server has no SFTP (S07): SCP may still work.
    pub(crate) async fn sftp_channel(&self) -> Result<Channel<client::Msg>> {
        let mut channel = self.session_channel().await?;
        channel
            .request_subsystem(true, "sftp")
            .await
            .map_err(|_| self.lost(Step::Command))?;
        if self.is_granted(&mut channel).await? {
            Ok(channel)
        } else {
            self.give_back(channel).await;
            Err(diagnosis::no_subsystem(&self.login))
        }
    }

    /// A channel on which the server runs a command.
    ///
    /// # Errors
    /// [`Kind::Rejected`] when the server runs none.
    pub(crate) async fn exec_channel(&self, command: &[u8]) -> Result<Channel<client::Msg>> {
        let mut channel = self.session_channel().await?;
        channel
            .exec(true, command)
            .await
            .map_err(|_| self.lost(Step::Command))?;
        if self.is_granted(&mut channel).await? {
            Ok(channel)
        } else {
            self.give_back(channel).await;
            Err(diagnosis::no_exec(&self.login))
        }
    }

    /// Closes a channel on which nothing runs: a server may permit but a few, or one.
    async fn give_back(&self, mut channel: Channel<client::Msg>) {
        let _ = channel.close().await;
        let closed = async { while channel.wait().await.is_some() {} };
        let _ = timeout(GOODBYE, closed).await;
    }

    async fn session_channel(&self) -> Result<Channel<client::Msg>> {
        match timeout(self.limit, self.handle.channel_open_session()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
                Err(diagnosis::no_channel(&self.login, reason))
            }
            Ok(Err(_)) => Err(self.lost(Step::Command)),
            Err(_) => Err(self.silent(Step::Command)),
        }
    }

    async fn is_granted(&self, channel: &mut Channel<client::Msg>) -> Result<bool> {
        let answer = async {
            loop {
                match channel.wait().await {
                    Some(ChannelMsg::Success) => return Ok(true),
                    Some(ChannelMsg::Failure) => return Ok(false),
                    Some(ChannelMsg::Close | ChannelMsg::Eof) => {
                        return Err(diagnosis::closed_at_once(&self.login));
                    }
                    Some(_) => {}
                    None => return Err(self.lost(Step::Command)),
                }
            }
        };
        timeout(self.limit, answer)
            .await
            .unwrap_or_else(|_| Err(self.silent(Step::Command)))
    }

    /// The version line that the server sent (SFT-84), without control characters.
    pub(crate) fn server_version(&self) -> String {
        super::plain(&self.heard.version().unwrap_or_default())
    }

    /// Whether it has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Why it ended, for work that was cut short by that.
    pub(crate) fn lost(&self, step: Step) -> Error {
        diagnosis::lost(step, &self.login, self.told.ended().as_ref())
    }

    fn silent(&self, step: Step) -> Error {
        diagnosis::silent(step, &self.login, self.limit)
    }

    /// Says goodbye; the answer is not waited for.
    pub(crate) async fn close(self) {
        let goodbye = self
            .handle
            .disconnect(Disconnect::ByApplication, "goodbye", "");
        let _ = timeout(GOODBYE, goodbye).await;
        if let Some(through) = self.through {
            Box::pin(through.close()).await;
        }
    }
}

async fn resolve(context: &Arc<Context>, site: crate::Site, is_jump: bool) -> Result<Target> {
    let options = context.options.ssh.clone();
    blocking_result(move || Target::resolve(&site, &options, is_jump)).await
}

/// What became of the beginning.
enum Attempt {
    Begun(Begun),
    AnotherConnection,
}

/// The key exchange is done and the host key trusted.
struct Begun {
    handle: client::Handle<Watch>,
    told: Arc<Told>,
    heard: Heard,
    name: String,
    learns: bool,
    announcements: tokio::sync::mpsc::Receiver<Vec<russh::keys::PublicKey>>,
    is_hashed: bool,
}

impl Begun {
    async fn begin<S>(context: &Arc<Context>, target: &Target, stream: S) -> Result<Attempt>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let judge = Arc::new(judge(context, target).await?);
        let (heard, told) = (Heard::default(), Arc::new(Told::default()));
        let limit = context.options.idle_timeout;
        let (watch, announcements) =
            Watch::new(Arc::clone(context), Arc::clone(&judge), Arc::clone(&told));
        let config = client::Config {
            client_id: SshId::Standard(VERSION.into()),
            window_size: WINDOW,
            maximum_packet_size: PACKET,
            channel_buffer_size: MESSAGES,
            preferred: judge.preferred(context.options.ssh.legacy),
            keepalive_interval: Some(limit / 3),
            keepalive_max: SILENT_KEEPALIVES,
            nodelay: true,
            ..client::Config::default()
        };
        let stream = Greeted::new(stream, heard.clone());
        let connecting = Box::pin(client::connect_stream(Arc::new(config), stream, watch));
        let result = timeout(limit, connecting).await;
        let verdict = told.take_verdict();
        let handle = match (result, verdict) {
            (Ok(Ok(handle)), Some(Verdict::Trusted(ground))) => {
                let begun = Self {
                    handle,
                    told,
                    heard,
                    name: judge.name.clone(),
                    learns: ground == Ground::Stored
                        && target.update_host_keys
                        && target.pins.is_empty(),
                    announcements,
                    is_hashed: judge.known.is_hashed || target.hash_known_hosts,
                };
                if let Ground::New(key) = ground {
                    begun.remember(context, target, *key).await;
                }
                return Ok(Attempt::Begun(begun));
            }
            (_, Some(Verdict::Refused(error))) => return Err(error),
            (_, Some(Verdict::Ask { key, reason })) => {
                return ask(context, target, &judge, *key, reason).await;
            }
            (result, _) => result,
        };
        Err(match handle {
            Err(_) => diagnosis::handshake_timed_out(&target.site, &heard, limit),
            Ok(Err(error)) => diagnosis::handshake_failed(&target.site, &heard, &error),
            Ok(Ok(_)) => diagnosis::no_host_key(&target.site),
        })
    }

    /// A new host's key, accepted because new hosts are.
    async fn remember(&self, context: &Arc<Context>, target: &Target, key: russh::keys::PublicKey) {
        let facts = Judge::facts(&key);
        let note = format!(
            "the new host {} is trusted from now on: {} {}",
            self.name, facts.algorithm, facts.fingerprint
        );
        context.note(note);
        if !context.agree(&self.name, facts.fingerprint) {
            return;
        }
        if let Err(error) = learn::remember(target, &self.name, vec![key], self.is_hashed).await {
            context.note(error.to_string());
        }
    }

    async fn log_in(
        self,
        context: &Arc<Context>,
        target: &Target,
        through: Option<Box<Connection>>,
    ) -> Result<Connection> {
        let mut handle = self.handle;
        Box::pin(authentication::log_in(
            context,
            target,
            &mut handle,
            &self.told,
        ))
        .await?;
        let handle = Arc::new(handle);
        if self.learns && !target.known_hosts.is_empty() {
            learn::listen(
                Arc::clone(context),
                target.clone(),
                Arc::downgrade(&handle),
                self.announcements,
                self.is_hashed,
            );
        }
        let connection = Connection {
            handle,
            told: self.told,
            heard: self.heard,
            login: target.login(),
            limit: context.options.idle_timeout,
            through,
        };
        let (login, version) = (&connection.login, connection.server_version());
        context.tell(&format!("logged in as {login}; the server is {version}"));
        Ok(connection)
    }
}

/// What is known of a host, read anew for each connection.
async fn judge(context: &Arc<Context>, target: &Target) -> Result<Judge> {
    let known = learn::known(target).await?;
    let name = known_name(target);
    Ok(Judge {
        agreed: context.agreed(&name),
        name,
        principal: target.name.clone(),
        known,
        pins: target.pins.clone(),
        unknown_hosts: target.unknown_hosts,
    })
}

/// As the files of known hosts name the host.
pub(super) fn known_name(target: &Target) -> String {
    if target.has_alias {
        target.name.clone()
    } else {
        known_hosts::name(&target.name, target.site.port)
    }
}

async fn ask(
    context: &Arc<Context>,
    target: &Target,
    judge: &Judge,
    key: russh::keys::PublicKey,
    reason: String,
) -> Result<Attempt> {
    let facts = Judge::facts(&key);
    let question = Question::TrustHostKey {
        host: judge.name.clone(),
        reason: reason.clone(),
        key: facts.clone(),
    };
    // Another connection may ask the same at this moment.
    let settled = || context.agreed(&judge.name).contains(&facts.fingerprint);
    let Some(answer) = context.ask(question, settled).await? else {
        return Ok(Attempt::AnotherConnection);
    };
    match answer {
        Answer::Always => {
            context.agree(&judge.name, facts.fingerprint);
            let hash = judge.known.is_hashed || target.hash_known_hosts;
            if let Err(error) = learn::remember(target, &judge.name, vec![key], hash).await {
                context.note(error.to_string());
            }
            Ok(Attempt::AnotherConnection)
        }
        Answer::Once => {
            context.agree(&judge.name, facts.fingerprint);
            Ok(Attempt::AnotherConnection)
        }
        Answer::No => Err(diagnosis::not_agreed(&judge.name)),
        Answer::Nobody => Err(diagnosis::unknown(&judge.name, &key, &reason)),
    }
}

/// What the files say, for [`learn`].
pub(super) fn read_known(target: &Target) -> std::io::Result<KnownHosts> {
    let files = target
        .known_hosts
        .iter()
        .chain(&target.system_known_hosts)
        .cloned();
    let port = (!target.has_alias).then_some(target.site.port);
    KnownHosts::read(files, &target.name, port)
}
