"""Python's ftplib.FTP_TLS, explicit and implicit, with and without resumption of its session.

ftplib.py MODE VERSION RESUMPTION PORT AUTHORITY USER PASSWORD VERB ARGUMENT...
"""

import ftplib
import os
import socket
import ssl
import sys

mode, version, resumption, port, authority, user, password, verb, *arguments = sys.argv[1:]


class Client(ftplib.FTP_TLS):
    def connect_implicitly(self, host, port):
        self.host = host
        sock = socket.create_connection((host, port), 30)
        self.af = sock.family
        self.sock = self.context.wrap_socket(sock, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def ntransfercmd(self, cmd, rest=None):
        if resumption == "forgetful":
            return super().ntransfercmd(cmd, rest)
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            conn = self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session)
            assert conn.session_reused, "the session was not resumed"
        return conn, size


context = ssl.create_default_context(cafile=authority)
context.minimum_version = context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
f = Client(context=context, timeout=30)
if mode == "explicit":
    f.connect("127.0.0.1", int(port))
else:
    f.connect_implicitly("127.0.0.1", int(port))
f.login(user, password)
f.prot_p()
f.voidcmd("TYPE I")


def send(remote, local, rest=0):
    with open(local, "rb") as h:
        h.seek(rest)
        f.storbinary(f"STOR {remote}", h, 1 << 16, rest=rest or None)


def fetch(remote, local, rest=0):
    with open(local, "ab" if rest else "wb") as h:
        f.retrbinary(f"RETR {remote}", h.write, 1 << 16, rest=rest or None)


def abort(conn):
    """ABOR as ftplib sends it under TLS, in band; 426 and 226."""
    assert f.abort().startswith("426")
    assert f.getresp().startswith("226")
    conn.close()
    f.voidcmd("NOOP")


def is_refused(verb):
    """The transfer is refused with 522 for its want of a resumed session."""
    try:
        conn = f.transfercmd(verb)
        try:
            assert not conn.recv(1), "a byte came"
        finally:
            conn.close()
    except (ssl.SSLError, ConnectionError):
        # The server ended the handshake.
        pass
    except ftplib.error_perm as error:
        assert str(error).startswith("522"), error
        return
    try:
        reply = f.getresp()
    except ftplib.error_perm as error:
        reply = str(error)
    assert reply.startswith("522"), reply


match verb:
    case "put":
        send(arguments[1], arguments[0])
    case "get":
        fetch(*arguments)
    case "ls":
        f.retrlines("LIST")
        print(list(f.mlsd()))
    case "continue-get":
        fetch(*arguments, rest=os.path.getsize(arguments[1]))
    case "continue-put":
        send(arguments[1], arguments[0], rest=f.size(arguments[1]))
    case "abort-get":
        conn = f.transfercmd(f"RETR {arguments[0]}")
        got = b""
        while len(got) < int(arguments[2]):
            got += conn.recv(int(arguments[2]) - len(got))
        abort(conn)
        with open(arguments[1], "wb") as h:
            h.write(got)
    case "abort-put":
        conn = f.transfercmd(f"STOR {arguments[1]}")
        with open(arguments[0], "rb") as h:
            conn.sendall(h.read())
        abort(conn)
    case "refused":
        for line in arguments:
            is_refused(line)
        f.voidcmd("NOOP")
    case "cleared":
        f.ccc()
        f.voidcmd("NOOP")
        send(arguments[1], arguments[0])
        fetch(arguments[1], arguments[2])
f.quit()
