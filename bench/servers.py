"""The servers under test. One small class each: how to configure and start it.

To add a server, subclass Server, set name/protocols, write command(), and
list it below. Everything runs inside the bench's own namespaces, so ports
are free and the account bench/bench exists (uid 61000, home = served root).

Fairness: no per-command or transfer logging, no DNS or ident look-ups, no
artificial delays, no rate limits, client limits far above the test, sendfile
on where the server has it, and the same password hash wherever the server
reads the system account.
"""
import os
import shutil
import signal
import socket
import subprocess
import time

import isolate
import measure

HERE = os.path.dirname(os.path.abspath(__file__))


class Ctx:
    """What a server needs to know; filled in by bench.py."""

    work = home = tools = ""
    user = password = "bench"
    cert = key = pem = hostkey = authkeys = ""
    peers = ""
    _port = 2100

    def port(self):
        Ctx._port += 1
        return Ctx._port

    def peer(self, package, path):
        """A file of an unpacked package, or of the system."""
        for base in (f"{self.peers}/{package}", ""):
            if os.path.exists(f"{base}/{path}"):
                return f"{base}/{path}"
        return None


class Server:
    name = ""
    protocols = ()
    note = ""
    umask = 0o022
    drop = False            # start as the bench account instead of root
    start_timeout = 15
    max_sessions = 10000    # what sessions scenarios may ask for
    sessions_procs = 0      # processes per session (guards the pid limit)
    tftp_put = True
    tls_args = {"tls": "1.3", "suite": "TLS_AES_128_GCM_SHA256"}
    tls_args256 = {"tls": "1.3", "suite": "TLS_AES_256_GCM_SHA384"}

    def __init__(self, ctx, proto):
        self.ctx, self.proto = ctx, proto
        self.tls = proto == "ftps"
        self.port = ctx.port()
        self.dir = f"{ctx.work}/srv/{self.name}-{proto}-{self.port}"
        self.p = self.group = None

    # --- to override
    def binary(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def env(self):
        return {}

    def version(self):
        return ""

    # --- common
    def available(self):
        b = self.binary()
        return bool(b) and os.path.exists(b)

    def file(self, name, text, mode=0o644):
        p = f"{self.dir}/{name}"
        with open(p, "w") as f:
            f.write(text)
        os.chmod(p, mode)
        return p

    def start(self):
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o755)
        argv = self.command()
        self.group = measure.Group(self.name)
        self.log = open(f"{self.dir}/log", "a+b")  # also stdin: vsftpd reports there

        def child():
            self.group.enter()
            os.setsid()
            os.umask(self.umask)
            if self.drop:
                os.setgroups([])
                os.setgid(isolate.UID)
                os.setuid(isolate.UID)

        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": self.dir, "LANG": "C.UTF-8", "TZ": "UTC"}
        env.update(self.env())
        self.p = subprocess.Popen(argv, stdin=self.log, stdout=self.log,
                                  stderr=subprocess.STDOUT, preexec_fn=child, env=env,
                                  cwd=self.dir)
        self.group.main = self.p.pid
        self.wait_ready()
        return self

    def wait_ready(self):
        end = time.time() + self.start_timeout
        while time.time() < end:
            if self.p.poll() is not None:
                break
            if self.proto == "tftp":
                if self._udp_open():
                    time.sleep(0.2)
                    return
            else:
                try:
                    with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                        s.settimeout(5)
                        if s.recv(3):
                            time.sleep(0.1)
                            return
                except OSError:
                    pass
            time.sleep(0.05)
        with open(f"{self.dir}/log", errors="replace") as f:
            tail = f.read()[-800:]
        self.stop()
        raise RuntimeError(f"{self.name} did not start: {tail}")

    def _udp_open(self):
        want = f":{self.port:04X} "
        with open("/proc/net/udp") as f:
            return any(want in line.split(None, 2)[1] + " " for line in f.readlines()[1:])

    def stop(self):
        if not self.p:
            return
        pids = set(self.group.pids()) | {self.p.pid}
        for sig, wait in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
            for pid in pids:
                try:
                    os.kill(pid, sig)
                except OSError:
                    pass
            end = time.time() + wait
            while time.time() < end:
                self.p.poll()
                pids = set(self.group.pids())
                if not pids and self.p.poll() is not None:
                    break
                time.sleep(0.05)
            if not pids:
                break
        try:
            self.p.wait(2)
        except subprocess.TimeoutExpired:
            pass
        self.group.remove()
        self.log.close()
        self.p = None


# ------------------------------------------------------------------- wharf

class Wharf(Server):
    """The product: one user of the configuration, limits far above the test, errors only in the log.

    It starts as root and drops to the bench account, as the other servers do.
    """

    name = "wharf"
    protocols = ("ftp", "ftps", "sftp", "scp", "tftp")

    def binary(self):
        b = os.environ.get("WHARF") or shutil.which("wharf")
        return os.path.abspath(b) if b else None

    def version(self):
        return _first_line([self.binary(), "--version"])

    def command(self):
        c = self.ctx
        # Paths of the state directory must belong to the account that Wharf drops to.
        state = f"{self.dir}/state"
        os.makedirs(state, exist_ok=True)
        os.chown(state, isolate.UID, isolate.UID)
        tls = ""
        if self.tls:
            tls = f"""
[tls]
certificates = [{{ chain = "{c.cert}", key = "{c.key}" }}]
"""
        listen = f'listen = ["127.0.0.1:{self.port}"]'
        if self.proto == "tftp":
            # The bench's clients all come from one address.
            service = f"""
[ftp]
listen = []

[tftp]
{listen}
root = "{c.home}/tftp"
write = "overwrite"
per_address = 100000
transfers = 100000
requests_per_second = 1000000
"""
        elif self.proto in ("sftp", "scp"):
            service = f"""
[ftp]
listen = []

[ssh]
{listen}
host_keys = ["{c.hostkey}"]
idle_timeout = 3600
login_timeout = 300
"""
        else:
            service = f"""
[ftp]
{listen}
idle_timeout = 3600
login_timeout = 300
"""
        text = f"""
[server]
user = "bench"
group = "bench"
state_dir = "{state}"
log_level = "error"
{service}
[limits]
connections = 100000
per_address = 100000
per_account = 100000
unauthenticated = 100000

[lockout]
allow = ["127.0.0.0/8"]

[list]
max_entries = 1000000

[[user]]
name = "{c.user}"
password = "{c.password}"
home = "{c.home}"
authorized_keys_file = "{c.authkeys}"
{tls}"""
        return [self.binary(), "serve", "--config", self.file("wharf.toml", text)]


# ---------------------------------------------------------------- FTP peers

class Floor(Server):
    """Not a server: the least work that looks like FTP on the wire."""

    name = "floor"
    protocols = ("ftp",)
    note = "not a server: sendfile / recv+write loop, the lower bound"
    mode = ""
    drop = True

    def binary(self):
        return f"{self.ctx.tools}/floor"

    def command(self):
        return [self.binary(), str(self.port), self.ctx.home] + ([self.mode] if self.mode else [])


class FloorSplice(Floor):
    name = "floor-splice"
    note = "lower bound with splice for uploads"
    mode = "splice"


class Vsftpd(Server):
    """vsftpd, with the two costly isolation options of its defaults off."""

    name = "vsftpd"
    protocols = ("ftp", "ftps")
    extra = "isolate_network=NO\n"
    sessions_procs = 2
    max_sessions = 2000
    start_timeout = 15

    def binary(self):
        return self.ctx.peer("vsftpd", "usr/sbin/vsftpd")

    def version(self):
        return "vsftpd " + _deb_version(self.ctx, "vsftpd")

    def command(self):
        c = self.ctx
        empty = f"{self.dir}/empty"
        os.makedirs(empty, exist_ok=True)
        text = f"""listen=YES
listen_ipv6=NO
background=NO
listen_address=127.0.0.1
listen_port={self.port}
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
chroot_local_user=YES
allow_writeable_chroot=YES
check_shell=NO
pam_service_name=wharf-bench
secure_chroot_dir={empty}
nopriv_user=nobody
xferlog_enable=NO
use_sendfile=YES
session_support=NO
max_clients=0
max_per_ip=0
idle_session_timeout=3600
data_connection_timeout=3600
"""
        if self.tls:
            text += f"""ssl_enable=YES
rsa_cert_file={c.cert}
rsa_private_key_file={c.key}
force_local_logins_ssl=NO
force_local_data_ssl=NO
require_ssl_reuse=NO
ssl_ciphers=HIGH
"""
        return [self.binary(), self.file("vsftpd.conf", text + self.extra, 0o600)]


class VsftpdDefault(Vsftpd):
    """Debian's defaults: a network namespace per session."""

    name = "vsftpd-default"
    extra = ""


class Proftpd(Server):
    name = "proftpd"
    protocols = ("ftp", "ftps", "sftp", "scp")
    sessions_procs = 1
    max_sessions = 2000

    def binary(self):
        return self.ctx.peer("proftpd-core", "usr/sbin/proftpd")

    def version(self):
        return "proftpd " + _deb_version(self.ctx, "proftpd-core")

    def command(self):
        c = self.ctx
        mods = self.ctx.peer("proftpd-mod-crypto", "usr/lib/proftpd")
        text = f"""ServerName bench
ServerType standalone
DefaultServer on
DefaultAddress 127.0.0.1
Port {self.port}
UseIPv6 off
ModulePath {mods}
User nobody
Group nogroup
Umask 022
MaxInstances none
AuthOrder mod_auth_unix.c
AuthPAM off
RequireValidShell off
UseReverseDNS off
DefaultRoot ~
AllowOverwrite on
UseSendfile on
DelayEngine off
WtmpLog off
TransferLog none
SystemLog none
ScoreboardFile {self.dir}/scoreboard
PidFile {self.dir}/pid
TimeoutIdle 3600
TimeoutLogin 300
TimeoutNoTransfer 3600
<IfModule mod_ctrls.c>
ControlsEngine off
ControlsSocket {self.dir}/ctrl.sock
</IfModule>
"""
        if self.tls:
            text += f"""LoadModule mod_tls.c
TLSEngine on
TLSLog none
TLSProtocol TLSv1.2 TLSv1.3
TLSRSACertificateFile {c.cert}
TLSRSACertificateKeyFile {c.key}
TLSVerifyClient off
TLSRequired off
TLSOptions NoSessionReuseRequired
"""
        if self.proto in ("sftp", "scp"):
            text += f"""LoadModule mod_sftp.c
SFTPEngine on
SFTPLog none
SFTPHostKey {c.hostkey}
SFTPHostKey {c.work}/keys/ssh_rsa
SFTPAuthMethods publickey password
SFTPAuthorizedUserKeys file:{c.work}/keys/authorized_rfc4716
SFTPCompression off
SFTPMaxChannels 20
"""
        return [self.binary(), "-n", "-q", "-c", self.file("proftpd.conf", text, 0o600)]


class PureFtpd(Server):
    name = "pure-ftpd"
    protocols = ("ftp", "ftps")
    sessions_procs = 2
    max_sessions = 2000

    def binary(self):
        return self.ctx.peer("pure-ftpd", "usr/sbin/pure-ftpd")

    def version(self):
        return "pure-ftpd " + _deb_version(self.ctx, "pure-ftpd")

    def command(self):
        a = [self.binary(), "-4", "-S", f"127.0.0.1,{self.port}", "-c", "20000", "-C", "20000",
             "-l", "unix", "-A", "-E", "-H", "-f", "none", "-I", "60", "-L", "200000:10",
             "-g", f"{self.dir}/pid"]
        if self.tls:
            a += ["-Y", "1", "-2", f"{self.ctx.cert},{self.ctx.key}"]
        return a


class Pyftpdlib(Server):
    name = "pyftpdlib"
    protocols = ("ftp", "ftps")
    drop = True

    def binary(self):
        return "/usr/bin/python3" if os.path.isdir("/usr/lib/python3/dist-packages/pyftpdlib") else None

    def version(self):
        return "pyftpdlib " + _deb_version(self.ctx, "python3-pyftpdlib")

    def command(self):
        c = self.ctx
        text = f"""
import logging, resource
logging.basicConfig(level=logging.ERROR)
h = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (h, h))
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
if {self.tls}:
    from pyftpdlib.handlers import TLS_FTPHandler as FTPHandler
    FTPHandler.certfile = {c.pem!r}
a = DummyAuthorizer()
a.add_user({c.user!r}, {c.password!r}, {c.home!r}, perm="elradfmwMT")
FTPHandler.authorizer = a
FTPHandler.timeout = 0
FTPHandler.use_sendfile = True
s = FTPServer(("127.0.0.1", {self.port}), FTPHandler, backlog=4096)
s.max_cons = 30000
s.max_cons_per_ip = 0
s.serve_forever()
"""
        return [self.binary(), self.file("serve.py", text)]


class Unftp(Server):
    """Offers TLS 1.2 only, so its FTPS figures use TLS 1.2 with the same AEAD."""

    name = "unftp"
    protocols = ("ftp", "ftps")
    drop = True
    tls_args = {"tls": "1.2", "suite": "ECDHE-RSA-AES128-GCM-SHA256"}
    tls_args256 = {"tls": "1.2", "suite": "ECDHE-RSA-AES256-GCM-SHA384"}

    def binary(self):
        p = f"{self.ctx.peers}/unftp/bin/unftp"
        return p if os.path.exists(p) else shutil.which("unftp")

    def version(self):
        return _first_line([self.binary(), "--version"])

    def command(self):
        c = self.ctx
        users = self.file("users.json",
                          '[{"username":"%s","password":"%s"}]' % (c.user, c.password))
        a = [self.binary(), "--bind-address", f"127.0.0.1:{self.port}", "--root-dir", c.home,
             "--auth-type", "json", "--auth-json-path", users, "--sbe-type", "filesystem",
             "--bind-address-http", f"127.0.0.1:{c.port() + 7000}", "--log-level", "error",
             "--passive-ports", "49152-65535", "--idle-session-timeout", "3600"]
        if self.tls:
            a += ["--ftps-certs-file", c.cert, "--ftps-key-file", c.key]
        return a


class RcloneFtp(Server):
    """Needs upstream's rclone: Debian's package is built without serve ftp."""

    name = "rclone"
    protocols = ("ftp", "ftps")
    drop = True

    def binary(self):
        for b in (f"{self.ctx.peers}/rclone/bin/rclone",):
            if os.path.exists(b):
                return b
        return None

    def version(self):
        return _first_line([self.binary(), "version"])

    def command(self):
        c = self.ctx
        a = [self.binary(), "serve", "ftp", "--config", "/dev/null", "--log-level", "ERROR",
             "--addr", f"127.0.0.1:{self.port}", "--user", c.user, "--pass", c.password,
             "--passive-port", "49152-64000", c.home]
        if self.tls:
            a += ["--cert", c.cert, "--key", c.key]
        return a


# ------------------------------------------------------------ SFTP/SCP peers

class OpenSSH(Server):
    """sshd with Debian's external sftp-server."""

    name = "openssh"
    protocols = ("sftp", "scp")
    sessions_procs = 3
    max_sessions = 500

    def binary(self):
        return self.ctx.peer("openssh-server", "usr/sbin/sshd")

    def subsystem(self):
        return self.ctx.peer("openssh-sftp-server", "usr/lib/openssh/sftp-server")

    def version(self):
        return "openssh " + _deb_version(self.ctx, "openssh-server")

    def command(self):
        c = self.ctx
        text = f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {c.hostkey}
HostKey {c.work}/keys/ssh_rsa
PidFile {self.dir}/pid
UsePAM no
UseDNS no
PasswordAuthentication yes
PubkeyAuthentication yes
AuthorizedKeysFile {c.authkeys}
StrictModes no
LogLevel ERROR
MaxStartups 20000
MaxSessions 1000
LoginGraceTime 120
Compression no
PrintMotd no
X11Forwarding no
Subsystem sftp {self.subsystem()}
"""
        return [self.binary(), "-D", "-e", "-f", self.file("sshd_config", text)]


class OpenSSHInternal(OpenSSH):
    name = "openssh-internal"
    protocols = ("sftp", "scp")
    sessions_procs = 2

    def subsystem(self):
        return "internal-sftp"


class ProftpdSftp(Proftpd):
    name = "proftpd"
    protocols = ("sftp", "scp")


class RcloneSftp(Server):
    name = "rclone"
    protocols = ("sftp",)
    drop = True

    def binary(self):
        return shutil.which("rclone")

    def version(self):
        return _first_line([self.binary(), "version"])

    def command(self):
        c = self.ctx
        return [self.binary(), "serve", "sftp", "--config", "/dev/null", "--log-level", "ERROR",
                "--addr", f"127.0.0.1:{self.port}", "--user", c.user, "--pass", c.password,
                "--authorized-keys", c.authkeys, "--key", c.hostkey + "_bench", c.home]


# ---------------------------------------------------------------- TFTP peers

class TftpdHpa(Server):
    name = "tftpd-hpa"
    protocols = ("tftp",)

    def binary(self):
        return self.ctx.peer("tftpd-hpa", "usr/sbin/in.tftpd")

    def version(self):
        return "tftpd-hpa " + _deb_version(self.ctx, "tftpd-hpa")

    def command(self):
        return [self.binary(), "-L", "-4", "-a", f":{self.port}", "-u", "bench", "-c",
                "-p", "-s", f"{self.ctx.home}/tftp"]


class Atftpd(Server):
    name = "atftpd"
    protocols = ("tftp",)

    def binary(self):
        return self.ctx.peer("atftpd", "usr/sbin/atftpd")

    def version(self):
        return "atftpd " + _deb_version(self.ctx, "atftpd")

    def command(self):
        return [self.binary(), "--daemon", "--no-fork", "--port", str(self.port), "--bind-address",
                "127.0.0.1", "--user", "bench.bench", "--group", "bench", "--maxthread", "2000",
                "--verbose=3", "--no-multicast", "--pidfile", f"{self.dir}/pid",
                f"{self.ctx.home}/tftp"]


class Dnsmasq(Server):
    name = "dnsmasq"
    protocols = ("tftp",)
    tftp_put = False

    def __init__(self, ctx, proto):
        super().__init__(ctx, proto)
        self.port = 69  # it has no option for another one

    def binary(self):
        return self.ctx.peer("dnsmasq-base", "usr/sbin/dnsmasq")

    def version(self):
        return "dnsmasq " + _deb_version(self.ctx, "dnsmasq-base")

    def command(self):
        return [self.binary(), "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
                "--enable-tftp", f"--tftp-root={self.ctx.home}/tftp", "--tftp-max=2000",
                "--listen-address=127.0.0.1", "--bind-interfaces", "--user=bench", "--group=bench",
                "--quiet-tftp", "--log-facility=-", f"--pid-file={self.dir}/pid"]


class TftpFloor(Server):
    """Not a server: the least work that looks like TFTP on the wire."""

    name = "floor"
    protocols = ("tftp",)
    note = "not a server: mapped file, one system call per window"
    tftp_put = False
    mode = ""

    def binary(self):
        return f"{self.ctx.tools}/tftpfloor"

    def command(self):
        return [self.binary(), str(self.port), f"{self.ctx.home}/tftp"] + ([self.mode] if self.mode else [])


# ------------------------------------------------------------------ register

def _first_line(argv):
    try:
        r = subprocess.run(argv, capture_output=True, text=True, timeout=20)
        return (r.stdout + r.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "?"


def _deb_version(ctx, package):
    for f in (f"{ctx.peers}/{package}/.version",):
        if os.path.exists(f):
            with open(f) as fh:
                return fh.read().strip()
    for d in sorted(os.listdir(ctx.peers)) if os.path.isdir(ctx.peers) else []:
        if d.startswith(package + "_") and d.endswith(".deb"):
            return d.split("_")[1].replace("%3a", ":")
    r = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return r.stdout.strip() or "?"


FTP = [Wharf, Vsftpd, Proftpd, PureFtpd, Pyftpdlib, Unftp, RcloneFtp, Floor, FloorSplice, VsftpdDefault]
SFTP = [Wharf, OpenSSH, OpenSSHInternal, ProftpdSftp, RcloneSftp]
TFTP = [Wharf, TftpdHpa, Atftpd, Dnsmasq, TftpFloor]
BY_PROTO = {"ftp": FTP, "ftps": FTP, "sftp": SFTP, "scp": SFTP, "tftp": TFTP}


def make(ctx, proto, names=None, default_skip=("vsftpd-default", "floor-splice")):
    """Instances for a protocol, in the order asked for; unknown or missing ones are named."""
    have = {c.name: c for c in BY_PROTO[proto] if proto in c.protocols}
    out, missing = [], []
    for n in names or [k for k in have if k not in default_skip]:
        if n not in have:
            missing.append(f"{n} (does not speak {proto})")
            continue
        s = have[n](ctx, proto)
        if not s.available():
            missing.append(f"{n} (not installed)")
            continue
        out.append(s)
    return out, missing
