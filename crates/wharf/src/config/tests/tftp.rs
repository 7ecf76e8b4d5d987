//! Keys about TFTP: each one read, each one written wrongly, each contradiction.

use std::time::Duration;

use super::{
    super::types::{MtuCap, TftpWrite},
    *,
};

/// TFT-05: off until somebody says what is served.
#[test]
fn tft_05_tftp_is_off_until_something_is_served() {
    let config = load_text("").unwrap();
    assert_eq!(config.tftp.listen, None);
    assert_eq!(config.tftp.write, TftpWrite::Deny);
    let config = load_text("[tftp]\nroot = \"/srv/tftp\"\n").unwrap();
    let listen = config.tftp.listen.unwrap();
    assert_eq!(listen.len(), 2, "both families");
    assert!(listen.iter().all(|address| address.port() == 69));
    let text = "[[tftp.client]]\nnetworks = [\"192.0.2.0/24\"]\nroot = \"/srv/tftp\"\n";
    assert!(load_text(text).unwrap().tftp.listen.is_some());
    let text = "[tftp]\nlisten = []\nroot = \"/srv/tftp\"\n";
    assert_eq!(load_text(text).unwrap().tftp.listen, Some(Vec::new()));
}

#[test]
fn every_key_of_tftp_is_read() {
    let text = "[tftp]\nlisten = [\"0.0.0.0:6969\"]\nroot = \"/srv/tftp\"\ndirectory = \"/by-ip/%IP%\"\n\
        read = false\nwrite = \"overwrite\"\nmax_upload = \"16 MiB\"\nkeep_partial = true\n\
        ignore_case = true\nmax_blksize = 1428\nmax_windowsize = 8\nmtu_cap = \"both\"\nrollover = 1\n\
        port_range = \"30000-30100\"\ntimeout = 2\nmax_timeout = \"16s\"\ntries = 3\ntransfers = 10\n\
        per_address = 2\nrequests_per_second = 5\ndownload_rate = \"1 MiB/s\"\nupload_rate = \"1 MiB/s\"\n\
        [[tftp.client]]\nnetworks = [\"192.0.2.0/24\"]\nmacs = [\"00:1b:d4:*\"]\nvolume = \"phones\"\n\
        directory = \"/%MAC%\"\nread = true\nwrite = \"create\"\nrollover = 0\nmax_blksize = 512\n\
        download_rate = 1000\nupload_rate = 1000\n\
        [[tftp.rewrite]]\nfrom = \"flash:*\"\nto = \"firmware/$1\"\nnetworks = [\"192.0.2.0/24\"]\n\
        ignore_case = true\n\
        [[volume]]\nid = \"phones\"\npath = \"/srv/phones\"\n";
    let config = load_text(text).unwrap();
    let tftp = &config.tftp;
    assert!(!tftp.read && tftp.keep_partial && tftp.ignore_case && !tftp.single_port);
    assert_eq!((tftp.max_blksize, tftp.max_windowsize), (1428, 8));
    assert_eq!((tftp.mtu_cap, tftp.rollover), (MtuCap::Both, 1));
    assert_eq!(tftp.port_range, Some(30_000..=30_100));
    assert_eq!(
        (tftp.timeout, tftp.max_timeout, tftp.tries),
        (Duration::from_secs(2), Duration::from_secs(16), 3)
    );
    assert_eq!(
        (tftp.transfers, tftp.per_address, tftp.requests_per_second),
        (10, 2, 5)
    );
    let [client] = tftp.client.as_slice() else {
        panic!("{:?}", tftp.client)
    };
    assert_eq!((client.networks.len(), client.macs.len()), (1, 1));
    assert_eq!(client.write, Some(TftpWrite::Create));
    assert_eq!(config.tftp_rewrites.len(), 1);
}

#[test]
fn what_tftp_cannot_do_is_told_with_the_mend() {
    const ROOT: &str = "root = \"/srv/tftp\"\n";
    for (text, told) in [
        ("listen = [\"0.0.0.0:69\"]\n".to_owned(), "tftp.listen"),
        (
            format!("{ROOT}listen = [\"0.0.0.0:69\", \"0.0.0.0:69\"]\n"),
            "stands twice",
        ),
        (
            format!("{ROOT}volume = \"x\"\n"),
            "both `root` and `volume`",
        ),
        ("volume = \"x\"\n".to_owned(), "no volume `x`"),
        (format!("{ROOT}read = false\n"), "neither fetch nor store"),
        (format!("{ROOT}max_blksize = 65465\n"), "65464"),
        (format!("{ROOT}max_windowsize = 0\n"), "max_windowsize"),
        (format!("{ROOT}rollover = 2\n"), "rollover"),
        (format!("{ROOT}write = \"yes\"\n"), "overwrite"),
        (format!("{ROOT}mtu_cap = true\n"), "ipv6"),
        (
            format!("{ROOT}directory = \"phones\"\n"),
            "beginning with `/`",
        ),
        (
            format!("{ROOT}directory = \"/a/../..\"\n"),
            "tftp.directory",
        ),
        (
            format!("{ROOT}timeout = 10\nmax_timeout = 5\n"),
            "tftp.max_timeout",
        ),
        (
            format!("{ROOT}port_range = \"69-70\"\n"),
            "begins below 1024",
        ),
        (
            format!("{ROOT}port_range = \"3000-3001\"\nsingle_port = true\n"),
            "single_port",
        ),
        (
            "[[tftp.client]]\nnetworks = [\"192.0.2.0/24\"]\n".to_owned(),
            "neither `root` nor `volume`",
        ),
        (
            format!("{ROOT}[[tftp.client]]\nmacs = [\"00:1b\"]\n"),
            "00:1b:d4:aa:bb:cc",
        ),
        (
            format!("{ROOT}[[tftp.client]]\n[[tftp.client]]\nnetworks = [\"192.0.2.0/24\"]\n"),
            "matches every client",
        ),
        (
            format!("{ROOT}[[tftp.rewrite]]\nfrom = \"a*\"\nto = \"$2\"\n"),
            "tftp.rewrite[0]",
        ),
        (
            format!("{ROOT}[[tftp.rewrite]]\nfrom = \"a***\"\nto = \"b\"\n"),
            "tftp.rewrite[0]",
        ),
    ] {
        let error = load_text(&format!("[tftp]\n{text}")).unwrap_err();
        assert!(error.to_string().contains(told), "{text}: {error}");
    }
}

/// Nobody can log in as the account that stands for clients of TFTP, nor have its name.
#[test]
fn no_user_can_have_the_name_of_tftps_own_accounts() {
    for number in [None, Some(1), Some(12)] {
        let name = tftp_account_name(number).unwrap();
        assert!(is_reserved_name(&name));
        let text = format!("[[user]]\nname = \"{name}\"\npassword = \"x\"\nhome = \"/srv\"\n");
        let error = load_text(&text).unwrap_err().to_string();
        assert!(error.contains("kept for clients of TFTP"), "{error}");
    }
    let config = load_text("[tftp]\nroot = \"/srv/tftp\"\n").unwrap();
    assert!(config.accounts.is_empty());
}

/// Devices alone are a whole service.
#[test]
fn ftp_may_listen_nowhere_where_tftp_does() {
    let config = load_text("[ftp]\nlisten = []\n[tftp]\nroot = \"/srv/tftp\"\n").unwrap();
    assert!(config.ftp.listen.is_empty());
}

#[test]
fn where_tftp_listens_takes_a_restart_and_all_else_none() {
    let old = load_text("[tftp]\nroot = \"/srv/tftp\"\n").unwrap();
    let new = load_text("[tftp]\nroot = \"/srv/other\"\nwrite = \"create\"\nsingle_port = true\n");
    assert!(old.restart_changes(&new.unwrap()).is_empty());
    let new = load_text("[tftp]\nroot = \"/srv/tftp\"\nlisten = [\"0.0.0.0:6969\"]\n").unwrap();
    assert_eq!(old.restart_changes(&new), ["tftp.listen"]);
}
