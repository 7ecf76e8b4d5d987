//! Options that all client commands share, and the pools that come of them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use wharf_client::{Credentials, DataMode, Family, Location, Options, Pool, Scheme, Site, Verify};

use super::{
    Watcher, login, progress::Console, security::Security, ssh::SshFlags, tftp::TftpFlags,
};
use crate::{cli::environment, exit::Failure};

/// Options of every client command.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Shared {
    /// Log in as this user. Where neither this nor the URL names one: for FTP .netrc's, else anonymous;
    /// for SSH the one of ~/.ssh/config, else your own name.
    #[arg(long, value_name = "NAME", help_heading = "Login")]
    pub(super) user: Option<String>,
    /// Read the password from the first line of this file; WHARF_PASSWORD works too.
    #[arg(long, value_name = "FILE", help_heading = "Login")]
    pub(super) password_file: Option<PathBuf>,
    /// Look logins up here instead of in ~/.netrc.
    #[arg(long, value_name = "FILE", help_heading = "Login")]
    pub(super) netrc_file: Option<PathBuf>,
    /// Look no login up.
    #[arg(long, conflicts_with = "netrc_file", help_heading = "Login")]
    pub(super) no_netrc: bool,
    #[command(flatten)]
    pub(super) security: Security,
    #[command(flatten)]
    ssh: SshFlags,
    #[command(flatten)]
    tftp: TftpFlags,
    /// Let the server open data connections (PORT, EPRT).
    #[arg(long, conflicts_with = "passive", help_heading = "Connection")]
    active: bool,
    /// Never let the server open data connections.
    #[arg(long, help_heading = "Connection")]
    passive: bool,
    /// Give up after so long without an answer or an octet.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, help_heading = "Connection")]
    timeout: Duration,
    /// Give up opening a connection after so long.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, help_heading = "Connection")]
    connect_timeout: Duration,
    /// Try again so often when something fails that may pass.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        help_heading = "Connection"
    )]
    retries: u32,
    /// Use IPv4 only.
    #[arg(
        short = '4',
        long,
        conflicts_with = "ipv6",
        help_heading = "Connection"
    )]
    ipv4: bool,
    /// Use IPv6 only.
    #[arg(short = '6', long, help_heading = "Connection")]
    ipv6: bool,
    /// Say nothing but errors.
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Show the dialogue with the server, without passwords.
    #[arg(short, long)]
    verbose: bool,
}

/// `--verify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Check {
    /// Size always, hash when the server offers one.
    #[default]
    Auto,
    /// Size only.
    Size,
    /// Hash; a server without one is an error.
    Hash,
    /// What the server says.
    None,
}

/// What only transfers choose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfers {
    pub(super) verify: Check,
    pub(super) resume: bool,
    pub(super) parallel: usize,
    pub(super) keep_permissions: bool,
    pub(super) links: bool,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            verify: Check::Auto,
            resume: false,
            parallel: 1,
            keep_permissions: false,
            links: false,
        }
    }
}

impl Shared {
    /// The watcher that standard error is fit for.
    pub(super) fn console(&self, json: bool) -> Watcher {
        Console::new(json, self.quiet, self.verbose, !self.security.batch)
    }

    /// Sessions with a site.
    pub(super) fn pool(
        &self,
        site: &Site,
        transfers: Transfers,
        watcher: &Watcher,
    ) -> Result<Pool, Failure> {
        let mut ssh = self.ssh.choices(&environment());
        let credentials = if site.scheme.is_ssh() {
            ssh.pins = self.security.host_key_pins();
            ssh.user.clone_from(&self.user);
            ssh.password = login::password_of_ssh(self, site)?;
            // SSH finds its user and asks for passwords when the server wants one.
            Credentials::anonymous()
        } else if site.scheme == Scheme::Tftp {
            if self.user.is_some() || self.password_file.is_some() {
                return Err(Failure::usage(
                    "TFTP has no login: leave out --user and --password-file",
                ));
            }
            Credentials::anonymous()
        } else {
            login::find(self, site)?
        };
        let options = Options {
            data_mode: match (self.active, self.passive) {
                (true, _) => DataMode::Active,
                (_, true) => DataMode::Passive,
                _ => DataMode::Auto,
            },
            family: match (self.ipv4, self.ipv6) {
                (true, _) => Family::V4,
                (_, true) => Family::V6,
                _ => Family::Any,
            },
            connect_timeout: self.connect_timeout,
            idle_timeout: self.timeout,
            retries: self.retries,
            verify: match transfers.verify {
                Check::Auto => Verify::Auto,
                Check::Size => Verify::Size,
                Check::Hash => Verify::Hash,
                Check::None => Verify::None,
            },
            resume: transfers.resume,
            parallel: transfers.parallel,
            keep_permissions: transfers.keep_permissions,
            links: transfers.links,
            tls: self.security.of(site)?,
            ssh,
            tftp: self.tftp.choices(),
            ..Options::default()
        };
        let watcher: Arc<Console> = Arc::clone(watcher);
        Ok(Pool::new(site.clone(), credentials, options, watcher))
    }

    /// A place, and sessions with its site.
    pub(super) fn reach(&self, url: &str, json: bool) -> Result<(Location, Pool), Failure> {
        let place = place(url)?;
        let pool = self.pool(&place.site, Transfers::default(), &self.console(json))?;
        Ok((place, pool))
    }
}

/// Reads a URL.
pub(super) fn place(url: &str) -> Result<Location, Failure> {
    Location::parse(url).map_err(|error| Failure::usage(error.to_string()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 86_400.0 => Ok(Duration::from_secs_f64(number)),
        _ => Err("a number of seconds, above 0 and at most 86400, is expected".to_owned()),
    }
}
