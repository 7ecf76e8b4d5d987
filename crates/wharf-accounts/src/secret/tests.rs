//! Known answers (made with openssl passwd and libxcrypt) and what must be locked.

use super::*;

/// Every scheme with the hash of a password.
const KNOWN: [(&str, &str, &str); 16] = [
    ("md5-crypt", "right", "$1$abcdefgh$vdBSIIpG7R8DPkuUogsqU0"),
    ("md5-crypt", "", "$1$ab$rn6aQS/o7141mj179E/zA."),
    (
        "md5-crypt",
        "a much longer password than sixteen bytes",
        "$1$12345678$yLppq.aqtfjKiej5RWDLq/",
    ),
    (
        "sha256-crypt",
        "Hello world!",
        "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
    ),
    // The vector of the SHA-crypt specification.
    (
        "sha512-crypt",
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    (
        "sha512-crypt",
        "pässword",
        "$6$abcdefghijklmnop$PgfBRn5NkXbA2XZtilnguWKQpJpfJShmLyZHZeZDGfPC0OAI0h9GDSq13PAh4FBaE5zk5GFVxj.FP0gNFfKla1",
    ),
    (
        "sha512-crypt",
        "right",
        "$6$rounds=1000$saltsalt$dfMP2LY3oP.RCle.MrovYod7J5ZWd7wa2WJOtw1cdMugHgIZ8H3PUFaxN7fS6Rbcl4YomrlE/fCkobwA8g/as/",
    ),
    (
        "yescrypt",
        "right",
        "$y$j9T$abcdefghijklmnop$fg53GdnxwfYgIeBAW3BgEqWAuDxTTs59ZbR55f0zS..",
    ),
    (
        "bcrypt",
        "right",
        "$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC",
    ),
    (
        "bcrypt",
        "right",
        "$2y$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC",
    ),
    (
        "bcrypt",
        "right",
        "$2a$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC",
    ),
    // jBCrypt's vectors.
    (
        "bcrypt",
        "",
        "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.",
    ),
    (
        "bcrypt",
        "abc",
        "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i",
    ),
    // The reference implementation's, with its salt and parameters.
    (
        "argon2id",
        "password",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    ),
    ("plain", "right", "{plain}right"),
    ("plain", "$1$looks$like", "{plain}$1$looks$like"),
];

#[test]
fn known_answers_of_every_scheme() {
    for (scheme, password, stored) in KNOWN {
        let secret = StoredSecret::parse(stored);
        assert_eq!(secret.scheme(), scheme, "{stored}");
        assert_eq!(secret.is_slow(), scheme != "plain", "{stored}");
        assert!(secret.verify(password.as_bytes()), "{stored}");
        for wrong in ["wrong", "Right", "right ", "hello world!", "\u{0}"] {
            assert!(
                !secret.verify(wrong.as_bytes()),
                "{stored} opened by {wrong:?}"
            );
        }
    }
}

/// ProFTPD 2275 and 2279, and hashes cut short, which a comparison of the shorter length would pass.
#[test]
fn empty_marked_and_unparsable_are_locked_2275_2279() {
    for stored in ["", "{plain}"] {
        assert_eq!(
            StoredSecret::parse(stored).lock(),
            Some(Lock::Empty),
            "{stored:?}"
        );
    }
    for stored in [
        "!",
        "!!",
        "*",
        "*LK*",
        "x",
        "!$1$abcdefgh$vdBSIIpG7R8DPkuUogsqU0",
    ] {
        assert_eq!(
            StoredSecret::parse(stored).lock(),
            Some(Lock::Marked),
            "{stored:?}"
        );
    }
    let unreadable = [
        "right",
        "abJnggxhB/yWI",
        " ",
        "{SSHA}abc",
        "$",
        "$$",
        "$5$",
        "$y$j9T$salt$",
        "{plain}a\0b",
        "$2x$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC",
    ];
    for stored in unreadable {
        assert_eq!(
            StoredSecret::parse(stored).lock(),
            Some(Lock::Unreadable),
            "{stored:?}"
        );
    }
    for (_, password, whole) in KNOWN.into_iter().filter(|(scheme, ..)| *scheme != "plain") {
        for end in 0..whole.len() {
            let cut = StoredSecret::parse(&whole[..end]);
            assert!(
                cut.lock().is_some() || !cut.verify(password.as_bytes()),
                "{}",
                &whole[..end]
            );
        }
    }
}

#[test]
fn a_hash_that_would_cost_absurd_time_or_memory_is_locked() {
    let dear = [
        "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=65536,t=4000000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$2b$31$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC",
        "$5$rounds=999999999$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
        "$y$jzz$abcdefghijklmnop$fg53GdnxwfYgIeBAW3BgEqWAuDxTTs59ZbR55f0zS..",
        "$y$jPT$abcdefghijklmnop$fg53GdnxwfYgIeBAW3BgEqWAuDxTTs59ZbR55f0zS..",
    ];
    for stored in dear {
        assert_eq!(
            StoredSecret::parse(stored).lock(),
            Some(Lock::Unreadable),
            "{stored}"
        );
    }
}

#[test]
fn a_new_hash_is_argon2id_with_fresh_salt_and_opens_for_its_password_only() {
    let (one, other) = (
        StoredSecret::hash_new(b"right").unwrap(),
        StoredSecret::hash_new(b"right").unwrap(),
    );
    assert!(
        one.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{}",
        one.as_str()
    );
    assert_ne!(one.as_str(), other.as_str());
    assert!(
        one.verify(b"right") && other.verify(b"right") && !one.verify(b"wrong") && !one.verify(b"")
    );
    assert_eq!(one.cost(), "$argon2id$v=19$m=19456,t=2,p=1");
}

#[test]
fn what_cannot_be_a_password_is_not_hashed() {
    for password in [&b""[..], b"a\0b", &[b'a'; MAX_PASSWORD + 1]] {
        assert!(matches!(
            StoredSecret::hash_new(password),
            Err(Error::Password)
        ));
    }
}

#[test]
fn the_cost_is_the_text_without_salt_and_hash() {
    let costs = [
        ("$1$abcdefgh$vdBSIIpG7R8DPkuUogsqU0", "$1"),
        (
            "$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC",
            "$2b$04",
        ),
        (
            "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
            "$5",
        ),
        (
            "$y$j9T$abcdefghijklmnop$fg53GdnxwfYgIeBAW3BgEqWAuDxTTs59ZbR55f0zS..",
            "$y$j9T",
        ),
        (KNOWN[6].2, "$6$rounds=1000"),
        ("{plain}x", ""),
        ("!", ""),
    ];
    for (stored, cost) in costs {
        assert_eq!(StoredSecret::parse(stored).cost(), cost, "{stored}");
    }
}

#[test]
fn a_stored_secret_is_not_printed() {
    assert_eq!(
        format!("{:?}", StoredSecret::plain("hunter2")),
        "StoredSecret(plain)"
    );
}
