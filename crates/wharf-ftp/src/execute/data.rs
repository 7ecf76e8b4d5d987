//! PORT, PASV and their extended forms; ALLO and SITE IDLE: the parameters of transfers to come.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use wharf_engine::events::Event;
use wharf_proto::ftp::server::{DataRefusal, Outcome, Reason};
use wharf_vfs::ErrorKind;

use crate::{
    clock,
    data_connection::{self, DataPath},
    passive_ports, replies,
    session::FtpSession,
};

/// No idle limit below it (RFC 1123 4.1.3.2).
const SHORTEST_IDLE: Duration = Duration::from_secs(300);

impl FtpSession {
    pub(super) fn set_active(&mut self, target: SocketAddr) -> Outcome {
        // DAT-06: a refused target leaves the former set-up as it was.
        match data_connection::check_target(target, &self.ends, &self.settings.data) {
            Ok(()) => {
                self.data = DataPath::Active(SocketAddr::new(
                    wharf_accounts::normalised(target.ip()),
                    target.port(),
                ));
                Outcome::Done
            }
            Err(refusal) => {
                let cause = format!("target {target} refused: {refusal:?}");
                self.tell(&Event::DataConnection { cause: &cause });
                Outcome::DataRefused(refusal)
            }
        }
    }

    pub(super) fn open_passive(&mut self, extended: Option<Option<u8>>) -> Outcome {
        let local = self.ends.bound.ip();
        let family: &'static [u8] = if self.ends.local.is_ipv4() {
            &[1]
        } else {
            &[2]
        };
        let fits = match extended {
            // 227 has room for IPv4 only.
            None => self.ends.local.is_ipv4(),
            Some(None) => true,
            Some(Some(asked)) => family == [asked],
        };
        if !fits {
            return Outcome::DataRefused(DataRefusal::Family { usable: family });
        }
        // One listener per session: the former one goes first, so that its port is free again.
        self.data = DataPath::None;
        match passive_ports::open(local, &self.settings.data.passive_ports) {
            Ok(Some(listener)) => {
                let port = listener.address.port();
                self.data = DataPath::Passive(listener);
                self.listens_until = clock::now() + self.settings.data.accept_timeout;
                let address = match extended {
                    None => self
                        .settings
                        .data
                        .advertised
                        .for_client(self.ends.peer.ip(), self.ends.local.ip()),
                    Some(_) => self.ends.local.ip(),
                };
                Outcome::Passive(SocketAddr::new(address, port))
            }
            Ok(None) => {
                let range = &self.settings.data.passive_ports;
                let cause = format!(
                    "no port of {}-{} is free (data.passive_ports)",
                    range.start(),
                    range.end()
                );
                self.tell(&Event::DataConnection { cause: &cause });
                Outcome::DataRefused(DataRefusal::NoPort)
            }
            Err(error) => {
                let cause = format!("cannot listen on {local}: {error}");
                self.tell(&Event::DataConnection { cause: &cause });
                Outcome::DataRefused(DataRefusal::NoPort)
            }
        }
    }

    /// When to look whether the listener is still of use.
    pub(crate) fn listener_deadline(&self) -> Option<Instant> {
        matches!(self.data, DataPath::Passive(_)).then_some(self.listens_until)
    }

    /// DAT-11: a listener that was not used in time frees its port, unless the client waits on it.
    pub(crate) fn close_stale_listener(&mut self, now: Instant) {
        let DataPath::Passive(listener) = &self.data else {
            return;
        };
        if now < self.listens_until {
            return;
        }
        if listener.has_guests() {
            self.listens_until = now + self.settings.data.accept_timeout;
        } else {
            self.data = DataPath::None;
        }
    }

    pub(super) async fn allocate(&self, octets: u64) -> Result<Outcome, Outcome> {
        // The space itself cannot be held, but a file that cannot fit is refused before it is sent.
        match self.view()?.space(&self.directory).await {
            Ok(space) if octets > space.free => Err(replies::refused_because(
                Reason::NoSpace,
                b"",
                format!("{octets} octets were asked for, {} are free", space.free),
            )),
            Ok(_) => Ok(Outcome::Done),
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::Unsupported | ErrorKind::Denied | ErrorKind::NotFound
                ) =>
            {
                Ok(Outcome::Superfluous)
            }
            Err(error) => Err(self.refused(&error, b"")),
        }
    }

    pub(super) fn set_idle_limit(&mut self, seconds: Option<u64>) -> Outcome {
        if let Some(seconds) = seconds {
            let asked = Duration::from_secs(seconds);
            if asked < SHORTEST_IDLE || asked > self.settings.idle_max {
                return replies::refused_because(
                    Reason::BadArgument,
                    b"",
                    format!(
                        "from {} to {} seconds",
                        SHORTEST_IDLE.as_secs(),
                        self.settings.idle_max.as_secs()
                    ),
                );
            }
            self.idle_limit = asked;
        }
        Outcome::Number(self.idle_limit.as_secs())
    }

    /// The session's mask may be stricter than the account's, never weaker.
    pub(super) fn set_umask(&mut self, mask: Option<u32>) -> Result<Outcome, Outcome> {
        self.check_somebody(b"")?;
        if let Some(mask) = mask {
            self.umask = mask | self.view()?.settings().umask;
        }
        Ok(Outcome::Number(self.umask.into()))
    }
}
