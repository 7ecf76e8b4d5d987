//! SCP sessions: sink and source on one channel, done on the session's view.
