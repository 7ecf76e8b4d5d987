//! Who may do what: every changing verb against accounts that may not (CVE-2017-15906, CVE-2010-3867),
//! and the anonymous rules.

use super::{
    client::{pattern, read_all},
    *,
};

/// Every verb that changes something, with an argument for each kind of thing it may hit. `{}` is the
/// place.
const CHANGES: [&str; 17] = [
    "STOR {}new",
    "STOR {}file",
    "APPE {}new",
    "APPE {}file",
    "STOU {}new",
    "DELE {}file",
    "RMD {}dir",
    "XRMD {}dir",
    "MKD {}new",
    "XMKD {}new",
    "RNFR {}file",
    "RNFR {}dir",
    "MFMT 20200101000000 {}file",
    "MDTM 20200101000000 {}file",
    "SITE CHMOD 777 {}file",
    "SITE UTIME 20200101000000 {}file",
    "SITE UTIME {}file 20200101000000 20200101000000 20200101000000 UTC",
];

async fn house_with_a_tree() -> House {
    let house = House::usual().await;
    let mut client = Client::login(&house, "anna").await;
    for place in ["", "disk/"] {
        client.store(&format!("{place}file"), b"content").await;
        client.ask(&format!("MKD {place}dir"), 257).await;
        client.store(&format!("{place}dir/inner"), b"inner").await;
        client.ask(&format!("MKD {place}empty"), 257).await;
    }
    client.ask("QUIT", 221).await;
    house
}

/// All facts of everything, as `anna` sees it.
async fn everything(house: &House) -> Vec<String> {
    let mut client = Client::login(house, "anna").await;
    let mut all = Vec::new();
    for directory in [
        "/",
        "/dir",
        "/empty",
        "/disk",
        "/disk/dir",
        "/disk/empty",
        "/small",
    ] {
        let mut lines = client.list(&format!("MLSD {directory}")).await;
        lines.sort();
        all.extend(lines);
    }
    all
}

/// CVE-2017-15906: read-only means that nothing is made, cut, touched or renamed by any verb.
#[tokio::test]
async fn cve_2017_15906_a_read_only_account_changes_nothing_by_any_verb() {
    let house = house_with_a_tree().await;
    let before = everything(&house).await;
    let mut rita = Client::login(&house, "rita").await;
    for place in ["", "/", "disk/", "/disk/", "dir/../", "small/"] {
        for form in CHANGES {
            let command = form.replace("{}", place);
            rita.passive_address().await;
            let reply = rita.say(&command).await;
            assert!(matches!(reply.code, 550 | 553), "{command}: {reply:?}");
            rita.ask(&format!("REST {}", 3), 350).await;
            let reply = rita.say(&form.replace("{}", place)).await;
            assert!(
                matches!(reply.code, 550 | 553 | 554),
                "REST 3, {command}: {reply:?}"
            );
        }
        // Nothing was remembered of a refused RNFR.
        rita.ask("RNTO other", 503).await;
    }
    assert_eq!(everything(&house).await, before);
    assert_eq!(rita.fetch("RETR disk/file").await, b"content");
    for event in ["Changed", "Transfer Upload"] {
        assert_eq!(
            house
                .events(event)
                .iter()
                .filter(|event| event.contains("rita"))
                .count(),
            0
        );
    }
}

/// One right opens one verb.
#[tokio::test]
async fn append_and_times_open_appe_and_mfmt_and_nothing_else() {
    let house = house_with_a_tree().await;
    let mut tim = Client::login(&house, "tim").await;
    for place in ["", "disk/"] {
        for form in CHANGES {
            let command = form.replace("{}", place);
            tim.passive_address().await;
            let reply = tim.say(&command).await;
            let sets_times = ["MFMT", "MDTM", "SITE UTIME"]
                .iter()
                .any(|verb| command.starts_with(verb));
            let allowed = sets_times || command == format!("APPE {place}file");
            if command.starts_with("APPE") && allowed {
                assert_eq!(reply.code, 150);
                tim.ask("ABOR", 426).await;
                tim.expect(226).await;
            } else if allowed {
                assert!(matches!(reply.code, 200 | 213), "{command}: {reply:?}");
            } else {
                assert!(matches!(reply.code, 550 | 553), "{command}: {reply:?}");
            }
        }
        // A restart inside the file needs `write`, at its end too.
        tim.ask("REST 7", 350).await;
        assert!(matches!(
            tim.say(&format!("STOR {place}file")).await.code,
            550 | 553
        ));
        assert_eq!(tim.give(&format!("APPE {place}file"), b"+").await.code, 226);
        assert_eq!(tim.fetch(&format!("RETR {place}file")).await, b"content+");
    }
}

async fn anonymous(house: &House) -> Client {
    let mut client = Client::connect(house).await;
    assert!(
        client
            .ask("USER anonymous", 331)
            .await
            .text
            .contains("e-mail")
    );
    client.ask("PASS guest@example.org", 230).await;
    client.ask("TYPE I", 200).await;
    client
}

async fn house_with_a_drop_box() -> House {
    let house = House::usual().await;
    let mut keeper = Client::login(&house, "keeper").await;
    keeper.ask("MKD incoming", 257).await;
    keeper.ask("MKD pub", 257).await;
    keeper.store("pub/file", b"public").await;
    keeper.store("incoming/theirs", b"not yours").await;
    house
}

/// ANON-02: a drop box takes new files and shows nothing.
#[tokio::test]
async fn anon_02_a_drop_box_takes_new_files_and_shows_nothing() {
    let house = house_with_a_drop_box().await;
    let mut guest = anonymous(&house).await;
    assert_eq!(guest.fetch("RETR pub/file").await, b"public");
    guest.ask("CWD incoming", 250).await;
    guest.store("mine", b"a gift").await;
    let mut data = guest.passive().await;
    let name = guest.ask("STOU", 150).await.text;
    assert!(name.starts_with("FILE: ftp."));
    drop(data);
    guest.expect(226).await;
    data = guest.passive().await;
    for command in [
        "LIST",
        "NLST",
        "MLSD",
        "LIST /incoming",
        "NLST *",
        "LIST theirs",
        "STAT theirs",
        "STAT /incoming",
        "MLST theirs",
        "SIZE theirs",
        "MDTM theirs",
        "RETR theirs",
        "RETR mine",
        "HASH theirs",
        "XCRC theirs",
        "STOR theirs",
        "STOR mine",
        "APPE theirs",
        "DELE mine",
        "DELE theirs",
        "RNFR mine",
        "MKD d",
        "RMD /incoming",
        "MFMT 20200101000000 mine",
        "STOR /new",
        "STOR /pub/new",
        "STOR /pub/file",
        "DELE /pub/file",
        "RNFR /pub/file",
        "MKD /pub/d",
        "STOR /incoming/../pub/x",
    ] {
        let reply = guest.say(command).await;
        // A pattern that matches nothing that may be seen is an empty listing.
        assert!(
            matches!(reply.code, 550 | 553 | 552),
            "{command}: {reply:?}"
        );
    }
    drop(data);
    let mut keeper = Client::login(&house, "keeper").await;
    assert_eq!(keeper.fetch("RETR incoming/mine").await, b"a gift");
    assert_eq!(keeper.fetch("RETR incoming/theirs").await, b"not yours");
    assert_eq!(keeper.list("NLST pub").await, ["pub/file"]);
}

/// An aborted upload to a drop box leaves nothing: its name would be taken for good.
#[tokio::test]
async fn anon_02_an_aborted_upload_to_a_drop_box_leaves_nothing() {
    use tokio::io::AsyncWriteExt as _;

    let house = house_with_a_drop_box().await;
    let mut guest = anonymous(&house).await;
    let mut data = guest.passive().await;
    guest.ask("STOR incoming/half", 150).await;
    data.write_all(b"half").await.unwrap();
    guest.await_octets(4).await;
    guest.ask("ABOR", 426).await;
    guest.expect(226).await;
    guest.store("incoming/half", b"whole").await;
    let mut keeper = Client::login(&house, "keeper").await;
    assert_eq!(
        keeper.list("NLST -a incoming").await,
        ["incoming/half", "incoming/theirs"]
    );
}

/// ANON-03: of SITE only HELP and IDLE, no foreign data connections, no long hashes.
#[tokio::test]
async fn anon_03_site_is_help_and_idle() {
    let house = house_with_a_drop_box().await;
    let mut keeper = Client::login(&house, "keeper").await;
    keeper.store("pub/large", &pattern((64 << 20) + 1)).await;
    keeper.store("pub/below", &pattern(64)).await;
    let mut guest = anonymous(&house).await;
    guest.ask("SITE HELP", 214).await;
    guest.ask("SITE IDLE", 200).await;
    guest.ask("SITE IDLE 600", 200).await;
    for command in [
        "UMASK",
        "UMASK 077",
        "CHMOD 600 pub/file",
        "UTIME 20200101000000 pub/file",
    ] {
        let reply = guest.say(&format!("SITE {command}")).await;
        assert!(matches!(reply.code, 500 | 550), "{command}: {reply:?}");
    }
    guest.ask("HASH pub/below", 213).await;
    guest.ask("HASH pub/large", 556).await;
    guest.ask("XCRC pub/large 0 5", 250).await;
    keeper.ask("HASH pub/large", 213).await;
    guest.ask("PORT 192,0,2,1,100,1", 501).await;
}

/// DAT-78, DAT-93: what is shown is what may be done.
#[tokio::test]
async fn dat_93_facts_and_modes_show_what_the_account_may() {
    let house = house_with_a_tree().await;
    for (user, file, directory, mode) in [
        ("anna", "adfrw", "cdeflmp", "-rw-r--r--"),
        ("rita", "r", "el", "-r--r--r--"),
        ("tim", "ar", "el", "-rw-r--r--"),
    ] {
        let mut client = Client::login(&house, user).await;
        for place in ["", "disk/"] {
            for (name, perm) in [("file", file), ("dir", directory)] {
                let facts = client.ask(&format!("MLST {place}{name}"), 250).await.text;
                assert!(facts.contains(&format!("perm={perm};")), "{user}: {facts}");
            }
            let lines = client.list(&format!("MLSD {place}")).await;
            let line = lines.iter().find(|line| line.ends_with("; file")).unwrap();
            assert!(line.contains(&format!("perm={file};")), "{line}");
            let lines = client.list(&format!("LIST {place}file")).await;
            assert!(lines[0].starts_with(mode), "{user}: {lines:?}");
        }
    }
    let house = house_with_a_drop_box().await;
    let mut guest = anonymous(&house).await;
    let lines = guest.list("MLSD").await;
    let line = lines
        .iter()
        .find(|line| line.ends_with(" incoming"))
        .unwrap();
    assert!(line.contains("perm=ce;"), "{line}");
}

/// A second session of another account does not inherit the first one's rights, buffers or directory.
#[tokio::test]
async fn rights_follow_the_login() {
    let house = house_with_a_tree().await;
    let mut client = Client::login(&house, "anna").await;
    client.ask("CWD /disk/dir", 250).await;
    client.ask("RNFR inner", 350).await;
    client.ask("USER rita", 331).await;
    client.ask("PASS secret", 230).await;
    client.ask("RNTO stolen", 503).await;
    client.ask("DELE /disk/dir/inner", 550).await;
    let mut data = client.passive().await;
    client.ask("RETR disk/dir/inner", 150).await;
    assert_eq!(read_all(&mut data).await.unwrap(), b"inner");
}
