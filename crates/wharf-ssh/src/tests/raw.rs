//! A peer that says whatever a test tells it, message by message: the transport by hand, with one
//! algorithm of each kind.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    digest::{Context, SHA256},
    rand::SystemRandom,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const ID: &[u8] = b"SSH-2.0-Raw";

/// Offered by a client that keeps strict order (CVE-2023-48795).
pub(super) const STRICT: &str = "kex-strict-c-v00@openssh.com";

/// Message numbers (RFC 4250 section 4.1.2).
pub(super) mod message {
    pub(in crate::tests) const DISCONNECT: u8 = 1;
    pub(in crate::tests) const IGNORE: u8 = 2;
    pub(in crate::tests) const SERVICE_REQUEST: u8 = 5;
    pub(in crate::tests) const SERVICE_ACCEPT: u8 = 6;
    pub(in crate::tests) const EXT_INFO: u8 = 7;
    pub(in crate::tests) const KEXINIT: u8 = 20;
    pub(in crate::tests) const NEWKEYS: u8 = 21;
    pub(in crate::tests) const ECDH_INIT: u8 = 30;
    pub(in crate::tests) const USERAUTH_REQUEST: u8 = 50;
    pub(in crate::tests) const USERAUTH_FAILURE: u8 = 51;
    pub(in crate::tests) const USERAUTH_SUCCESS: u8 = 52;
    pub(in crate::tests) const GLOBAL_REQUEST: u8 = 80;
    pub(in crate::tests) const CHANNEL_OPEN: u8 = 90;
    pub(in crate::tests) const CHANNEL_OPEN_CONFIRMATION: u8 = 91;
    pub(in crate::tests) const CHANNEL_WINDOW_ADJUST: u8 = 93;
    pub(in crate::tests) const CHANNEL_DATA: u8 = 94;
    pub(in crate::tests) const CHANNEL_CLOSE: u8 = 97;
    pub(in crate::tests) const CHANNEL_REQUEST: u8 = 98;
    pub(in crate::tests) const CHANNEL_SUCCESS: u8 = 99;
    pub(in crate::tests) const CHANNEL_FAILURE: u8 = 100;
}

/// A message in the making.
#[derive(Clone, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new(number: u8) -> Self {
        Self(vec![number])
    }

    pub(super) fn byte(mut self, octet: u8) -> Self {
        self.0.push(octet);
        self
    }

    pub(super) fn number(mut self, number: u32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn text(mut self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        self.0
            .extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        self.0.extend(text);
        self
    }

    /// As an mpint (RFC 4251 section 5).
    fn positive(self, octets: &[u8]) -> Self {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let octets = &octets[zeros..];
        if octets.first().is_some_and(|octet| octet & 0x80 != 0) {
            self.text([&[0], octets].concat())
        } else {
            self.text(octets)
        }
    }
}

/// One direction's cipher.
struct Sealed {
    key: LessSafeKey,
    iv: [u8; 12],
}

impl Sealed {
    fn new(key: &[u8], iv: &[u8]) -> Self {
        Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap()),
            iv: iv[..12].try_into().unwrap(),
        }
    }

    /// RFC 5647 section 7.1: the counter is the last eight octets.
    fn nonce(&mut self) -> Nonce {
        let nonce = Nonce::assume_unique_for_key(self.iv);
        let counter = u64::from_be_bytes(self.iv[4..].try_into().unwrap());
        self.iv[4..].copy_from_slice(&counter.wrapping_add(1).to_be_bytes());
        nonce
    }
}

pub(super) struct Raw {
    stream: DuplexStream,
    server_id: Vec<u8>,
    /// The server's KEXINIT.
    pub(super) server_kexinit: Vec<u8>,
    client_kexinit: Vec<u8>,
    out: Option<Sealed>,
    into: Option<Sealed>,
}

/// What the peer said is over.
#[derive(Debug)]
pub(super) struct Over;

impl Raw {
    /// Identifications and the server's KEXINIT are exchanged.
    pub(super) async fn greet(stream: DuplexStream) -> Self {
        Self::greet_as(stream, ID).await
    }

    /// The same by another name; such a peer can do no more than listen.
    pub(super) async fn greet_as(mut stream: DuplexStream, id: &[u8]) -> Self {
        stream.write_all(&[id, b"\r\n"].concat()).await.unwrap();
        let mut server_id = Vec::new();
        while !server_id.ends_with(b"\r\n") {
            server_id.push(stream.read_u8().await.unwrap());
        }
        server_id.truncate(server_id.len() - 2);
        let mut raw = Self {
            stream,
            server_id,
            server_kexinit: Vec::new(),
            client_kexinit: Vec::new(),
            out: None,
            into: None,
        };
        raw.server_kexinit = raw.hear().await.unwrap();
        assert_eq!(raw.server_kexinit.first(), Some(&message::KEXINIT));
        raw
    }

    /// Says KEXINIT.
    pub(super) async fn offer(&mut self, extra: &[&str]) -> Result<(), Over> {
        self.offer_cipher("aes256-gcm@openssh.com", extra).await
    }

    /// Says KEXINIT with another cipher, which this peer cannot speak itself.
    pub(super) async fn offer_cipher(&mut self, cipher: &str, extra: &[&str]) -> Result<(), Over> {
        let mut kexinit = Message::new(message::KEXINIT);
        for _ in 0..16 {
            kexinit = kexinit.byte(7);
        }
        let kex = [&["curve25519-sha256"], extra].concat().join(",");
        for list in [&kex, "ssh-ed25519"] {
            kexinit = kexinit.text(list);
        }
        for list in [cipher, "hmac-sha2-256-etm@openssh.com", "none"] {
            kexinit = kexinit.text(list).text(list);
        }
        kexinit = kexinit.text("").text("").byte(0).number(0);
        self.client_kexinit.clone_from(&kexinit.0);
        self.say(&kexinit).await
    }

    /// The first key exchange behind the KEXINITs (RFC 8731); the host is believed.
    pub(super) async fn exchange(&mut self) -> Result<(), Over> {
        let random = SystemRandom::new();
        let ours = EphemeralPrivateKey::generate(&X25519, &random).unwrap();
        let our_public = ours.compute_public_key().unwrap();
        let init = Message::new(message::ECDH_INIT).text(our_public.as_ref());
        self.say(&init).await?;
        let reply = self.hear().await?;
        let mut left = &reply[1..];
        let (host_key, theirs) = (text(&mut left), text(&mut left));
        let peer = UnparsedPublicKey::new(&X25519, theirs);
        let secret = agree_ephemeral(ours, peer, (), |secret| Ok(secret.to_vec())).unwrap();
        let secret = Message::default().positive(&secret).0;
        let mut hashed = Message::default()
            .text(ID)
            .text(&self.server_id)
            .text(&self.client_kexinit)
            .text(&self.server_kexinit)
            .text(host_key)
            .text(our_public.as_ref())
            .text(theirs)
            .0;
        hashed.extend(&secret);
        let hash = digest(&[&hashed]);
        let derive = |letter: u8| digest(&[&secret, &hash, &[letter], &hash]);
        self.say(&Message::new(message::NEWKEYS)).await?;
        assert_eq!(self.hear().await?, [message::NEWKEYS]);
        self.out = Some(Sealed::new(&derive(b'C'), &derive(b'A')));
        self.into = Some(Sealed::new(&derive(b'D'), &derive(b'B')));
        Ok(())
    }

    /// A connection before login, with the authentication service on.
    pub(super) async fn guest(stream: DuplexStream) -> Self {
        let mut raw = Self::greet(stream).await;
        raw.offer(&[STRICT]).await.unwrap();
        raw.exchange().await.unwrap();
        let request = Message::new(message::SERVICE_REQUEST).text("ssh-userauth");
        raw.say(&request).await.unwrap();
        assert_eq!(raw.hear().await.unwrap()[0], message::SERVICE_ACCEPT);
        raw
    }

    /// A connection in its account.
    pub(super) async fn user(stream: DuplexStream) -> Self {
        let mut raw = Self::guest(stream).await;
        raw.say(&password("secret")).await.unwrap();
        assert_eq!(raw.hear().await.unwrap(), [message::USERAUTH_SUCCESS]);
        raw
    }

    /// The number that the server gives a new session channel.
    pub(super) async fn channel(&mut self) -> u32 {
        self.say(&open("session", 2 << 20, 32 << 10)).await.unwrap();
        let opened = self.hear().await.unwrap();
        assert_eq!(opened[0], message::CHANNEL_OPEN_CONFIRMATION);
        u32::from_be_bytes(opened[5..9].try_into().unwrap())
    }

    pub(super) async fn say(&mut self, message: &Message) -> Result<(), Over> {
        let payload = &message.0;
        let block = if self.out.is_some() { 16 } else { 8 };
        // The length itself is not among what a cipher of its own kind (AEAD) fills up.
        let counted = payload.len() + 1 + if self.out.is_some() { 0 } else { 4 };
        let padding = block - counted % block;
        let padding = if padding < 4 {
            padding + block
        } else {
            padding
        };
        let mut packet = vec![u8::try_from(padding).unwrap()];
        packet.extend(payload);
        packet.resize(packet.len() + padding, 0);
        let length = u32::try_from(packet.len()).unwrap().to_be_bytes();
        if let Some(out) = &mut self.out {
            let nonce = out.nonce();
            out.key
                .seal_in_place_append_tag(nonce, Aad::from(length), &mut packet)
                .unwrap();
        }
        self.say_octets(&[&length[..], &packet].concat()).await
    }

    pub(super) async fn say_octets(&mut self, octets: &[u8]) -> Result<(), Over> {
        self.stream.write_all(octets).await.map_err(|_| Over)
    }

    /// The next message that is not about extensions.
    pub(super) async fn hear(&mut self) -> Result<Vec<u8>, Over> {
        loop {
            let message = self.hear_any().await?;
            if message.first() != Some(&message::EXT_INFO) {
                return Ok(message);
            }
        }
    }

    pub(super) async fn hear_any(&mut self) -> Result<Vec<u8>, Over> {
        let length = self.stream.read_u32().await.map_err(|_| Over)?;
        let tag = if self.into.is_some() { 16 } else { 0 };
        let mut packet = vec![0; length as usize + tag];
        let read = self.stream.read_exact(&mut packet).await;
        read.map_err(|_| Over)?;
        if let Some(into) = &mut self.into {
            let (nonce, aad) = (into.nonce(), Aad::from(length.to_be_bytes()));
            into.key.open_in_place(nonce, aad, &mut packet).unwrap();
            packet.truncate(length as usize);
        }
        let padding = usize::from(packet[0]);
        Ok(packet[1..packet.len() - padding].to_vec())
    }

    /// Hears until the server hangs up.
    pub(super) async fn hear_out(&mut self) -> Vec<Vec<u8>> {
        let mut heard = Vec::new();
        while let Ok(message) = self.hear().await {
            heard.push(message);
        }
        heard
    }
}

fn digest(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}

/// The next text of a message.
pub(super) fn text<'a>(left: &mut &'a [u8]) -> &'a [u8] {
    let (length, rest) = left.split_at(4);
    let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
    let (text, rest) = rest.split_at(length);
    *left = rest;
    text
}

/// A login as `anna`.
pub(super) fn password(password: &str) -> Message {
    Message::new(message::USERAUTH_REQUEST)
        .text("anna")
        .text("ssh-connection")
        .text("password")
        .byte(0)
        .text(password)
}

pub(super) fn open(kind: &str, window: u32, packet: u32) -> Message {
    Message::new(message::CHANNEL_OPEN)
        .text(kind)
        .number(0)
        .number(window)
        .number(packet)
}

pub(super) fn request(channel: u32, kind: &str) -> Message {
    Message::new(message::CHANNEL_REQUEST)
        .number(channel)
        .text(kind)
        .byte(1)
}
