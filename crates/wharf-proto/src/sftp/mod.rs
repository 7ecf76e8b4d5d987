//! SFTP version 3 (draft-ietf-secsh-filexfer-02) with OpenSSH's extensions, both ends.
