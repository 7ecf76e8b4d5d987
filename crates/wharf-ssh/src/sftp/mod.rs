//! SFTP sessions: the requests of one channel, done on the session's view.
