//! The two directions of a channel, as the driver sees them.
//!
//! Apart from each other, because a transmit that waits for the peer's window must never keep the
//! replies from being read: the window is opened by reading them. Tests put a pipe in the channel's
//! place.

use std::future::Future;

use bytes::Bytes;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client};

/// The channel has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// What the server sends.
pub(crate) trait Incoming: Send + 'static {
    /// The next octets; `None` at the end. May be dropped and called again.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// What is sent to the server.
pub(crate) trait Outgoing: Send + 'static {
    /// Sends octets; waits for the peer's window.
    fn send(&mut self, octets: Bytes) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Says that no more comes; what the server still says is to be read.
    fn finish(&mut self) -> impl Future<Output = ()> + Send;

    /// Closes; nothing more is read.
    fn end(&mut self) -> impl Future<Output = ()> + Send;
}

impl Incoming for ChannelReadHalf {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.wait().await? {
                ChannelMsg::Data { data } => return Some(data),
                ChannelMsg::Eof | ChannelMsg::Close => return None,
                // Standard error of the remote program, its exit status: nothing of the protocol.
                _ => {}
            }
        }
    }
}

impl Outgoing for ChannelWriteHalf<client::Msg> {
    async fn send(&mut self, octets: Bytes) -> Result<(), Gone> {
        self.data_bytes(octets).await.map_err(|_| Gone)
    }

    async fn finish(&mut self) {
        // A connection that is gone has ended already.
        let _ = self.eof().await;
    }

    async fn end(&mut self) {
        self.finish().await;
        let _ = self.close().await;
    }
}
