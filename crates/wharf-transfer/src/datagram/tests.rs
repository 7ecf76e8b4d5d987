//! Datagrams over real loopback sockets.
