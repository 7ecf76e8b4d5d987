//! SCP: the records that OpenSSH's `scp -t` and `scp -f` speak over a channel, both ends.
