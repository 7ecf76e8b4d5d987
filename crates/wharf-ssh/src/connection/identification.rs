//! The identifications of both ends (RFC 4253 section 4.2), exchanged before the transport begins.
//!
//! What we offer goes out with the transport's first packet, and a few clients that are still
//! everywhere know no MAC over the ciphertext: curl through libssh2 before 1.11, JSch, SSH.NET, network
//! devices. They say who they are, so they, and nobody else, are offered the older order of SHA-2 MACs
//! as well; no cipher in CBC mode is ever offered, which is what makes that order harmless.
//!
//! This room must not judge an identification otherwise: the transport refuses what is none.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Octets that an identification has at the most, its line end included.
const MAX_LINE: usize = 255;

/// How the software of those begins that know no MAC over the ciphertext.
const WITHOUT_ETM: [&[u8]; 5] = [
    b"libssh2_",
    b"JSCH",
    b"Renci.SshNet",
    b"Cisco-",
    b"Comware-",
];

/// Tells who we are and hears who the peer is: all octets that it has sent so far, up to an end of
/// line at least, or to where it stopped or went on too long without one.
///
/// # Errors
/// What the stream says.
pub(super) async fn exchange<S>(stream: &mut S, ours: &str) -> std::io::Result<BytesMut>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(ours.as_bytes()).await?;
    stream.write_all(b"\r\n").await?;
    stream.flush().await?;
    let mut heard = BytesMut::with_capacity(MAX_LINE + 1);
    while heard.len() <= MAX_LINE && !heard.contains(&b'\n') {
        if stream.read_buf(&mut heard).await? == 0 {
            break;
        }
    }
    Ok(heard)
}

/// Whether a peer that sent `heard` is known to need the older order of MACs.
pub(super) fn wants_older_macs(heard: &[u8]) -> bool {
    let software = heard.strip_prefix(b"SSH-2.0-").unwrap_or_default();
    WITHOUT_ETM.iter().any(|name| software.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_needs_the_older_macs_is_told_by_its_software() {
        for old in [
            "libssh2_1.10.0",
            "JSCH-0.1.54",
            "Renci.SshNet.SshClient.0.0.1",
            "Cisco-1.25",
        ] {
            assert!(
                wants_older_macs(format!("SSH-2.0-{old}\r\n").as_bytes()),
                "{old}"
            );
        }
        for other in [
            "OpenSSH_9.2p1",
            "PuTTY_Release_0.78",
            "paramiko_5.1.0",
            "x libssh2_1.10.0",
            "",
        ] {
            assert!(
                !wants_older_macs(format!("SSH-2.0-{other}\r\n").as_bytes()),
                "{other}"
            );
        }
        assert!(!wants_older_macs(b"libssh2_1.10.0"));
    }

    /// An identification that never ends is not waited for, nor kept.
    #[tokio::test]
    async fn what_is_heard_is_bounded() {
        for said in [
            vec![b'x'; 4000],
            b"SSH-2.0-a\r\nmore".to_vec(),
            b"SSH".to_vec(),
        ] {
            let (mut ours, mut theirs) = tokio::io::duplex(8192);
            theirs.write_all(&said).await.unwrap();
            drop(theirs.shutdown().await);
            let heard = exchange(&mut ours, "SSH-2.0-Wharf").await.unwrap();
            assert!(heard.len() <= 2 * (MAX_LINE + 1), "{}", heard.len());
            assert!(said.starts_with(&heard) && heard.len() >= said.len().min(MAX_LINE));
            let mut greeting = [0; 15];
            theirs.read_exact(&mut greeting).await.unwrap();
            assert_eq!(&greeting, b"SSH-2.0-Wharf\r\n");
        }
    }
}
