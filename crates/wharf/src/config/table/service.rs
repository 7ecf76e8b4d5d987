//! The sections that hold for the whole server.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use wharf_accounts::Network;

use crate::config::{
    section::section,
    types::{AddressOrHost, Bytes, LogFormat, LogLevel, Owners, PeerCheck, RequireTls, Umask},
};

section! {
    /// The process: whom it runs as, where it keeps its state, what it tells.
    Server {
        /// User that the process becomes after its ports are open; without it, it stays who it is.
        user: Option<String> = none, Restart;
        /// Group that the process becomes a member of; without it, the user's own.
        group: Option<String> = none, Restart;
        /// Directory of the account store and other state; made when missing. Without it:
        /// `$STATE_DIRECTORY`, `$XDG_STATE_HOME/wharf`, `~/.local/state/wharf` or `/var/lib/wharf`.
        state_dir: Option<PathBuf> = none, Restart;
        /// Threads that serve sessions; without it, one per core.
        threads: Option<usize> = none in 1..=1024, Restart;
        /// How long running transfers may go on after the signal to stop.
        shutdown_grace: Duration = "300", Live;
        /// Form of the log.
        log_format: LogFormat = "\"human\"", Restart;
        /// Least important events that are logged.
        log_level: LogLevel = "\"info\"", Restart;
        /// File of the log, opened anew on SIGHUP; without it, standard error.
        log_file: Option<PathBuf> = none, Restart;
        /// File for one line per transfer in xferlog form; without it, none is written.
        xferlog_file: Option<PathBuf> = none, Restart;
        /// File for metrics in Prometheus' text form, replaced as a whole each time; without it,
        /// none is written.
        metrics_file: Option<PathBuf> = none, Restart;
        /// How often the metrics file is written.
        metrics_interval: Duration = "15" in 1..=3600, Restart;
    }
}

section! {
    /// How many at one time. Every count holds over all sessions and protocols.
    Limits {
        /// Connections in all; the next gets a 421.
        connections: usize = "10000" in 1..=10000000, Live;
        /// Connections from one address.
        per_address: usize = "100" in 1..=10000000, Live;
        /// Sessions of one account that has no `max_sessions` of its own.
        per_account: u32 = "100" in 1..=10000000, Live;
        /// Connections that have not logged in.
        unauthenticated: usize = "1000" in 1..=10000000, Live;
        /// At the limit of an address, end its longest silent session instead of turning the new
        /// connection away; for devices that never say QUIT.
        replace_oldest: bool = "false", Live;
        /// Slow password checks at one time, each with some 19 MiB of memory; without it, one per
        /// core.
        password_checks: Option<usize> = none in 1..=1024, Live;
    }
}

section! {
    /// What happens to an address that fails to log in again and again.
    Lockout {
        /// Failures within the window that shut an address out; 0 never does.
        failures: u32 = "10", Live;
        /// Failures older than this are forgotten.
        window: Duration = "600" in 1..=2592000, Live;
        /// How long an address stays shut out.
        ban: Duration = "600" in 1..=2592000, Live;
        /// Networks that are never shut out, besides loopback.
        allow: Vec<Network> = "[]", Live;
        /// Wait before the answer to a failed login; it doubles with each one.
        login_delay: Duration = "2" in 0..=60, Live;
        /// Longest such wait.
        max_login_delay: Duration = "16" in 0..=600, Live;
    }
}

section! {
    /// Proxies and load balancers in front of the server.
    Proxy {
        /// Networks whose connections must begin with a PROXY protocol header (v1 or v2); it tells
        /// the client's address. From everywhere else such a header is an error.
        networks: Vec<Network> = "[]", Live;
    }
}

section! {
    /// The FTP control connection.
    Ftp {
        /// Addresses and ports to listen on. Port 21 is the standard one.
        listen: Vec<SocketAddr> = "[\"0.0.0.0:2121\", \"[::]:2121\"]", Restart;
        /// Addresses and ports where TLS comes first (implicit FTPS); needs a certificate. Port 990 is
        /// the standard one; without the key `wharf serve DIR` takes 2990, a configured site none.
        listen_implicit: Option<Vec<SocketAddr>> = none, Restart;
        /// What must not go in clear: passwords and commands (`login`), files and listings (`data`),
        /// `both` or nothing. An account can ask for more, never for less.
        require_tls: RequireTls = "\"no\"", Live;
        /// Whether a logged-in client may leave TLS on its control connection (CCC), for firewalls
        /// that read along. Not where `require_tls` has `login`.
        ccc: bool = "false", Live;
        /// Text of the 220 greeting, at most 40 lines. It should not tell version or platform.
        greeting: String = "\"Wharf FTP server ready.\"", Live;
        /// Longest command line, in bytes.
        line_limit: usize = "8192" in 512..=65536, Live;
        /// A session without a command or transfer for this long is closed. Never under 300 s
        /// (RFC 1123 4.1.3.2).
        idle_timeout: Duration = "900" in 300..=604800, Live;
        /// Longest idle time that a client may ask for with SITE IDLE.
        idle_max: Duration = "7200" in 300..=604800, Live;
        /// Time from connect to login.
        login_timeout: Duration = "60" in 1..=3600, Live;
        /// Failed logins that end a session.
        max_login_failures: u32 = "3" in 1..=100, Live;
        /// Commands that a client may send ahead; beyond it the server stops reading.
        max_pipelined: usize = "64" in 1..=1024, Live;
        /// Refuse lines that end with a bare LF.
        strict_crlf: bool = "false", Live;
        /// Reply to MKD of a directory that exists: 550, or 521 as RFC 959's appendix has it.
        mkd_exists_code: u16 = "550" in 500..=599, Live;
        /// Largest file whose size in TYPE A is counted out for SIZE.
        ascii_size_max: Bytes = "\"16 MiB\"", Live;
        /// Commands that are answered with 502 and left out of FEAT and HELP.
        disabled_commands: Vec<String> = "[]", Live;
    }
}

section! {
    /// FTP data connections.
    Data {
        /// Ports of passive data connections, chosen at random inside and never outside. The
        /// firewall and the NAT in front must let them through.
        passive_ports: RangeInclusive<u16> = "\"49152-65534\"", Live;
        /// Address that PASV tells clients of a network, for servers behind NAT; the first that
        /// matches decides. Without a match: the address that the client connected to.
        external_address: Vec<ExternalAddress> = "[]", Live;
        /// How long to wait for a client on a passive port.
        accept_timeout: Duration = "60" in 1..=3600, Live;
        /// How long an active data connection may take to be made.
        connect_timeout: Duration = "30" in 1..=3600, Live;
        /// A transfer that moves no byte for this long is ended.
        stall_timeout: Duration = "300" in 1..=86400, Live;
        /// Whether active data connections (PORT, EPRT) are allowed.
        active: bool = "true", Live;
        /// Whether a transfer without PORT or PASV goes to the client's control port (RFC 959 3.2).
        default_port: bool = "true", Live;
        /// Who may connect to a passive port: the address of the control connection, its network,
        /// or anybody. `off` allows theft of transfers.
        peer_check: PeerCheck = "\"exact\"", Live;
        /// Answer with 125 instead of 150 when the data connection stands already.
        use_125: bool = "false", Live;
    }
}

section! {
    /// What clients of a network are told.
    ExternalAddress {
        /// The clients' network.
        network: Network = required, Live;
        /// Address, or host name that is resolved every minute.
        address: AddressOrHost = required, Live;
    }
}

section! {
    /// How uploads become files.
    Upload {
        /// A whole file goes to a temporary in the same directory and appears in one step when it
        /// is complete.
        atomic: bool = "true", Live;
        /// A broken upload is kept under its name, for a restart, where no file stood there before.
        keep_partial: bool = "true", Live;
        /// Wait until the device has the file before the transfer counts as complete.
        fsync: bool = "false", Live;
        /// Permission bits that new files and directories do not get.
        umask: Umask = "\"022\"", Live;
        /// Refuse new names that are not UTF-8.
        utf8_names: bool = "true", Live;
    }
}

section! {
    /// Renaming.
    Rename {
        /// Largest file that a rename from one volume to another may copy; 0 refuses all.
        copy_max: Bytes = "\"1 GiB\"", Live;
    }
}

section! {
    /// Directory listings.
    List {
        /// Entries after which a listing ends, with a note.
        max_entries: usize = "100000" in 1..=10000000, Live;
        /// What the owner and group columns show.
        owners: Owners = "\"session\"", Live;
    }
}

section! {
    /// Content hashes on request.
    Hash {
        /// Largest file that is hashed.
        max_bytes: Bytes = "\"16 GiB\"", Live;
    }
}
