//! Who signs: a key file, which may need its passphrase first, or the agent.

use russh::{
    SendError, Signer,
    keys::{
        HashAlg, PrivateKey,
        agent::{AgentIdentity, client::AgentClient},
        signature::Signer as _,
        ssh_encoding::Encode,
    },
};
use ssh_key::{Signature, private::KeypairData};
use tokio::net::UnixStream;

use super::{Context, keys::KeyFile};

/// The agent, through its socket.
pub(super) type Agent = AgentClient<UnixStream>;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    /// The connection is gone.
    #[error("the connection ended")]
    Gone,
    /// The key stays locked.
    #[error("nobody gave its passphrase")]
    Locked,
    /// The agent did not sign.
    #[error("the agent did not sign: {0}")]
    Agent(String),
    /// The key did not sign.
    #[error("the key cannot sign")]
    Key,
    /// Asking failed.
    #[error("{0}")]
    Asking(crate::Error),
}

impl From<SendError> for SignError {
    fn from(_: SendError) -> Self {
        Self::Gone
    }
}

/// Signs with a key file.
pub(super) struct FileSigner<'a> {
    pub(super) context: &'a Context,
    pub(super) file: &'a KeyFile,
}

impl Signer for FileSigner<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        let key = self
            .file
            .private(self.context)
            .await
            .map_err(SignError::Asking)?
            .ok_or(SignError::Locked)?;
        let signature = sign(&key, hash, &to_sign).ok_or(SignError::Key)?;
        // RFC 4252 7: the signature is a string behind what it covers.
        signature
            .encode_prefixed(&mut to_sign)
            .map_err(|_| SignError::Key)?;
        Ok(to_sign)
    }
}

fn sign(key: &PrivateKey, hash: Option<HashAlg>, data: &[u8]) -> Option<Signature> {
    match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(data).ok(),
        pair => pair.try_sign(data).ok(),
    }
}

/// Signs with a key of the agent. The agent may know the key alone where the certificate stands in a
/// file: it is asked by what it knows.
pub(super) struct AgentSigner<'a> {
    pub(super) agent: &'a mut Agent,
    pub(super) identity: &'a AgentIdentity,
}

impl Signer for AgentSigner<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        self.agent
            .sign_request(self.identity, hash, to_sign)
            .await
            .map_err(|error| SignError::Agent(error.to_string()))
    }
}
