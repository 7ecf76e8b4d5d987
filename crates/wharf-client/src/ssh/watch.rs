//! What a connection's transport asks us, and what is kept of its answers.
//!
//! Nothing that the server may open towards us is accepted: no forwarding, no agent, no session.

use std::sync::{Arc, Mutex, PoisonError};

use russh::{
    Disconnect, client,
    client::{DisconnectReason, Session},
    keys::{PublicKey, PublicKeyOrCertificate},
};
use tokio::sync::mpsc;

use super::{
    Context,
    host_key::{Judge, Verdict},
    plain, text,
};

/// Announcements of host keys that wait at the most.
const MOST_ANNOUNCEMENTS: usize = 2;

/// What became known beside the calls; shared with the connection.
#[derive(Default)]
pub(super) struct Told {
    verdict: Mutex<Option<Verdict>>,
    ended: Mutex<Option<Ended>>,
}

/// How a connection ended.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// The server said so.
    ByServer { reason: String, text: String },
    /// It broke.
    Broken(String),
}

impl Told {
    pub(super) fn take_verdict(&self) -> Option<Verdict> {
        self.verdict
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn end(&self, how: Ended) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.get_or_insert(how);
    }
}

/// The transport's questions are answered here.
pub(crate) struct Watch {
    context: Arc<Context>,
    judge: Arc<Judge>,
    told: Arc<Told>,
    announced: mpsc::Sender<Vec<PublicKey>>,
}

impl Watch {
    /// One for a new connection, and the host keys that the server announces on it.
    pub(super) fn new(
        context: Arc<Context>,
        judge: Arc<Judge>,
        told: Arc<Told>,
    ) -> (Self, mpsc::Receiver<Vec<PublicKey>>) {
        let (announced, announcements) = mpsc::channel(MOST_ANNOUNCEMENTS);
        let watch = Self {
            context,
            judge,
            told,
            announced,
        };
        (watch, announcements)
    }
}

impl client::Handler for Watch {
    type Error = russh::Error;

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Self::Error> {
        for line in text::lines(banner) {
            self.context.observer.note(&line);
        }
        Ok(())
    }

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let verdict = self.judge.judge(shown);
        let trusted = match &verdict {
            Verdict::Trusted(ground) => {
                let key = Judge::facts(&shown.public_key());
                self.context.tell(&format!(
                    "host key {} {}: {ground}",
                    key.algorithm, key.fingerprint
                ));
                true
            }
            Verdict::Ask { .. } | Verdict::Refused(_) => false,
        };
        *self
            .told
            .verdict
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        Ok(trusted)
    }

    async fn openssh_ext_host_keys_announced(
        &mut self,
        keys: Vec<PublicKey>,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        // Whoever announces faster than is listened is not listened to.
        let _ = self.announced.try_send(keys);
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: u32,
        _: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.told.end(Ended::ByServer {
                    reason: reason_text(&info.reason_code).to_owned(),
                    text: plain(&info.message),
                });
                Ok(())
            }
            DisconnectReason::Error(error) => {
                self.told.end(Ended::Broken(error.to_string()));
                Err(error)
            }
        }
    }
}

/// RFC 4253 11.1.
const fn reason_text(reason: &Disconnect) -> &'static str {
    match reason {
        Disconnect::HostNotAllowedToConnect => "this host may not connect",
        Disconnect::ProtocolError => "protocol error",
        Disconnect::KeyExchangeFailed => "key exchange failed",
        Disconnect::MACError => "MAC error",
        Disconnect::CompressionError => "compression error",
        Disconnect::ServiceNotAvailable => "service not available",
        Disconnect::ProtocolVersionNotSupported => "protocol version not supported",
        Disconnect::HostKeyNotVerifiable => "host key not verifiable",
        Disconnect::ConnectionLost => "connection lost",
        Disconnect::TooManyConnections => "too many connections",
        Disconnect::AuthCancelledByUser => "authentication cancelled",
        Disconnect::NoMoreAuthMethodsAvailable => "no more ways to authenticate",
        Disconnect::IllegalUserName => "illegal user name",
        Disconnect::ByApplication | Disconnect::Reserved => "ended by the server",
    }
}
