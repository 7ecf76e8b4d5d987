//! The section about TFTP: where it listens, which clients get what, and how it paces itself.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use wharf_accounts::Network;
use wharf_tftp::{directory::DirectoryPattern, mac::MacPattern};

use crate::config::{
    section::section,
    types::{Bytes, MtuCap, Rate, TftpWrite},
};

section! {
    /// TFTP, for devices: firmware, network boot, backups of their configurations. Nobody logs in; the
    /// client's network, or its hardware address, decides what it gets. Off until `root` or `volume`
    /// says what is served.
    Tftp {
        /// Addresses and UDP ports to listen on. Without the key, and where something is served: port
        /// 69 of every address; `wharf serve DIR --tftp` takes 6969.
        listen: Option<Vec<SocketAddr>> = none, Restart;
        /// Host directory that is served to every client that no `[[tftp.client]]` matches.
        root: Option<PathBuf> = none, Live;
        /// The `id` of a volume, in place of `root`.
        volume: Option<String> = none, Live;
        /// Directory of the tree in front of every name, which nothing leads out of. `%MAC%` and
        /// `%IP%` stand for the client's own.
        directory: DirectoryPattern = "\"/\"", Live;
        /// Whether files can be fetched.
        read: bool = "true", Live;
        /// Which files can be stored: none, those that are there and that everybody may write (mode
        /// bit o+w), new ones, or all.
        write: TftpWrite = "\"deny\"", Live;
        /// Largest upload.
        max_upload: Bytes = "\"1 GiB\"", Live;
        /// A broken upload is kept under its name where no file stood there before.
        keep_partial: bool = "false", Live;
        /// A name that is not there is looked for in other case.
        ignore_case: bool = "false", Live;
        /// Largest block that is granted (blksize).
        max_blksize: u16 = "65464" in 512..=65464, Live;
        /// Blocks under way at one time that are granted (windowsize).
        max_windowsize: u16 = "64" in 1..=65535, Live;
        /// Where a block is cut down to what fits one packet on the way: nowhere, over IPv6, which no
        /// router takes apart, or over both families.
        mtu_cap: MtuCap = "\"ipv6\"", Live;
        /// The number that follows block 65535 where the client does not ask for one: 0, or 1 for the
        /// few that expect it.
        rollover: u16 = "0" in 0..=1, Live;
        /// Answer from the port that the request came to, for clients behind strict firewalls and for
        /// servers behind NAT or in a container; without it each transfer has a port of its own.
        single_port: bool = "false", Live;
        /// Ports of transfers, chosen at random inside; without it, any that is free.
        port_range: Option<RangeInclusive<u16>> = none, Live;
        /// Wait before the first packet is sent again, until the client's own time is known.
        timeout: Duration = "1" in 1..=60, Live;
        /// Longest such wait; it doubles with each one.
        max_timeout: Duration = "8" in 1..=255, Live;
        /// Times that a packet is sent before its client is given up.
        tries: u32 = "6" in 1..=100, Live;
        /// Transfers at one time; the next request gets no answer.
        transfers: usize = "1024" in 1..=1000000, Live;
        /// Transfers of one address.
        per_address: usize = "32" in 1..=1000000, Live;
        /// Requests of one address in a second; those above it get no answer.
        requests_per_second: u32 = "50" in 1..=1000000, Live;
        /// Memory for the content of files that are fetched more than once; 0 keeps none.
        cache: Bytes = "\"64 MiB\"", Restart;
        /// Rate to all clients of this section together.
        download_rate: Option<Rate> = none, Live;
        /// Rate from all clients of this section together.
        upload_rate: Option<Rate> = none, Live;
        /// Clients that get something else; the first entry that matches decides alone. What it leaves
        /// out holds as above. A client that nothing matches, and for which neither `root` nor `volume`
        /// is set above, gets nothing.
        client: Vec<TftpClient> = "[]", Live;
        /// What requested names become. The first rule that matches the whole name is applied and no
        /// other.
        rewrite: Vec<TftpRewrite> = "[]", Live;
    }
}

section! {
    /// Clients by network or hardware address.
    TftpClient {
        /// Networks that they come from; empty: any.
        networks: Vec<Network> = "[]", Live;
        /// Hardware addresses, as the neighbour table of this host has them; empty: any. Only clients
        /// of the same link have one.
        macs: Vec<MacPattern> = "[]", Live;
        /// Host directory that they get.
        root: Option<PathBuf> = none, Live;
        /// The `id` of a volume, in place of `root`.
        volume: Option<String> = none, Live;
        /// As `tftp.directory`.
        directory: Option<DirectoryPattern> = none, Live;
        /// As `tftp.read`.
        read: Option<bool> = none, Live;
        /// As `tftp.write`.
        write: Option<TftpWrite> = none, Live;
        /// As `tftp.rollover`.
        rollover: Option<u16> = none in 0..=1, Live;
        /// As `tftp.max_blksize`.
        max_blksize: Option<u16> = none in 512..=65464, Live;
        /// Rate to all of them together.
        download_rate: Option<Rate> = none, Live;
        /// Rate from all of them together.
        upload_rate: Option<Rate> = none, Live;
    }
}

section! {
    /// A rule that turns requested names into others.
    TftpRewrite {
        /// The names: `*` stands for any text without `/`, `**` for any text.
        from: String = required, Live;
        /// What they become; `$1` to `$9` are what the stars stood for, in their order, `%MAC%` and
        /// `%IP%` the client's own.
        to: String = required, Live;
        /// Networks whose clients it is for; empty: any.
        networks: Vec<Network> = "[]", Live;
        /// Whether case is of no matter.
        ignore_case: bool = "false", Live;
    }
}
