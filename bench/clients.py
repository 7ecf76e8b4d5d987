"""Existing clients, run against the same servers: the bar for Wharf's own client."""
import os
import shutil
import signal
import subprocess
import sys
import time
import types

import measure

SSH_OPTS = ["-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "Compression=no"]
CIPHER = "aes128-gcm@openssh.com,aes128-ctr"


def run(cmd, limit=170, sample=False):
    """cmd: {"argv": [...], "input": text, "home": dir}; wall, CPU, peak PSS."""
    g = measure.Group("client")
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "TZ": "UTC",
           "HOME": cmd.get("home", "/nonexistent")}
    t0 = time.monotonic()
    p = subprocess.Popen(cmd["argv"], stdin=subprocess.PIPE if "input" in cmd else subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, text=True,
                         preexec_fn=g.enter, start_new_session=True)
    g.main = p.pid
    peak = measure.PeakSampler(g, 0.01) if sample else None
    if peak:
        peak.start()
    try:
        _, err = p.communicate(cmd.get("input"), timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        _, err = p.communicate()
        err = "timed out " + (err or "")
    secs = time.monotonic() - t0
    cpu = g.cpu() if g.kind != "proc" else (0, 0, 0)
    pss = peak.stop()["pss_kib"] if peak else 0
    g.remove()
    return {"rc": p.returncode, "secs": secs, "cpu": cpu[0], "cpu_user": cpu[1], "cpu_sys": cpu[2],
            "pss": pss, "err": err or ""}


def openssh(ctx, srv, argv, direction, rel, path, local):
    common = [*argv, *SSH_OPTS, "-c", CIPHER, "-i", ctx.clientkey, "-P", str(srv.port)]
    if srv.name == "wharf":
        common += []
    if argv[0] == "sftp":
        line = f"get {rel} {local}/got\n" if direction == "download" else f"put {path} up/put\n"
        return {"argv": common + ["-q", "-b", "-", f"{ctx.user}@127.0.0.1"], "input": line}
    if direction == "download":
        return {"argv": common + ["-q", f"{ctx.user}@127.0.0.1:{rel}", f"{local}/got"]}
    return {"argv": common + ["-q", path, f"{ctx.user}@127.0.0.1:up/put"]}


# ---------------------------------------------------------------- clients
# Each gives a command for: get1, put1 (one big file) and getn, putn (a
# directory of small files); None where it cannot do it.
#   b: the Bench, s: the server, rel/path: remote and local big file,
#   d: remote directory of small files, src: the same locally, dst: local target

class Client:
    name = ""
    protocols = ("ftp",)
    binary = ""

    def ok(self):
        return shutil.which(self.binary)

    def cmd(self, b, s, what, rel, path, d, src, dst):
        raise NotImplementedError


class WharfClient(Client):
    """The product's own client: `wharf get URL LOCAL`, `wharf put LOCAL URL`, -r for directories."""

    name = "wharf"
    protocols = ("ftp", "sftp", "tftp")

    def ok(self):
        b = os.environ.get("WHARF") or shutil.which("wharf")
        return os.path.abspath(b) if b else None

    def cmd(self, b, s, what, rel, path, d, src, dst):
        w, options = self.ok(), []
        if s.proto == "tftp":
            if what == "get1":
                return {"argv": [w, "get", f"tftp://127.0.0.1:{s.port}/{rel}", f"{dst}/got"]}
            return None
        url = f"ftp://{b.ctx.user}:{b.ctx.password}@127.0.0.1:{s.port}"
        if s.proto == "sftp":
            url = f"sftp://{b.ctx.user}@127.0.0.1:{s.port}/~"
            options = ["-i", b.ctx.clientkey, "--identities-only", "--no-agent", "--ssh-config", "none",
                       "--known-hosts", f"{b.ctx.work}/known_hosts", "--accept-new"]
        else:
            options = ["--tls", "none"]
        verb, words = {"get1": ("get", [f"{url}/{rel}", f"{dst}/got"]),
                       "put1": ("put", [path, f"{url}/up/put"]),
                       "getn": ("get", ["-r", f"{url}/{d}", f"{dst}/dir"]),
                       "putn": ("put", ["-r", src, f"{url}/up/dir"])}[what]
        return {"argv": [w, verb, *options, *words]}


class Lftp(Client):
    name, binary, protocols = "lftp", "lftp", ("ftp", "ftps", "sftp")
    par = 1

    def cmd(self, b, s, what, rel, path, d, src, dst):
        pre = "set xfer:clobber yes; set net:max-retries 1; set net:timeout 60; set cmd:fail-exit yes; " \
              "set ssl:verify-certificate no; set dns:order inet; "
        if s.proto == "ftps":
            pre += "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; "
        elif s.proto == "ftp":
            pre += "set ftp:ssl-allow no; "
        else:
            ssh = " ".join(["ssh", "-a", "-x", *SSH_OPTS, "-c", CIPHER, "-i", b.ctx.clientkey])
            pre += f'set sftp:connect-program "{ssh}"; set sftp:auto-confirm yes; '
        scheme = "sftp" if s.proto == "sftp" else "ftp"
        pre += f"open -u {b.ctx.user},{b.ctx.password} {scheme}://127.0.0.1:{s.port}; "
        p = f"-P {self.par} " if self.par > 1 else ""
        line = {"get1": f"get {rel} -o {dst}/got", "put1": f"put {path} -o up/put",
                "getn": f"mirror {p}{d} {dst}/dir", "putn": f"mirror -R {p}{src} up/dir"}[what]
        return {"argv": ["lftp", "--norc", "-c", pre + line]}


class Lftp8(Lftp):
    name, par = "lftp -P 8", 8

    def cmd(self, b, s, what, *a):
        return super().cmd(b, s, what, *a) if what in ("getn", "putn") else None


class Curl(Client):
    name, binary, protocols = "curl", "curl", ("ftp", "ftps")

    def cmd(self, b, s, what, rel, path, d, src, dst):
        a = ["curl", "-q", "-sS", "-u", f"{b.ctx.user}:{b.ctx.password}"]
        if s.proto == "ftps":
            a += ["--ssl-reqd", "-k", "--tlsv1.3", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256"]
        u = f"ftp://127.0.0.1:{s.port}/"
        n = len(os.listdir(src))
        if what == "get1":
            return {"argv": a + [u + rel, "-o", f"{dst}/got"]}
        if what == "put1":
            return {"argv": a + ["-T", path, u + "up/put"]}
        if what == "getn":
            os.makedirs(f"{dst}/dir", exist_ok=True)
            return {"argv": a + [f"{u}{d}/f[00000-{n - 1:05d}]", "-o", f"{dst}/dir/f#1"]}
        return {"argv": a + ["--ftp-create-dirs", "-T", f"{src}/f[00000-{n - 1:05d}]", u + "up/dir/"]}


class Ncftp(Client):
    name, binary = "ncftp", "ncftpget"

    def cmd(self, b, s, what, rel, path, d, src, dst):
        a = ["-V", "-u", b.ctx.user, "-p", b.ctx.password, "-P", str(s.port)]
        if what == "get1":
            return {"argv": ["ncftpget", *a, "127.0.0.1", dst, rel], "result": os.path.basename(rel)}
        if what == "put1":
            return {"argv": ["ncftpput", *a, "127.0.0.1", "up", path], "result": os.path.basename(path)}
        if what == "getn":
            return {"argv": ["ncftpget", "-R", *a, "127.0.0.1", dst, d], "result": os.path.basename(d)}
        return {"argv": ["ncftpput", "-R", *a, "127.0.0.1", "up", src], "result": os.path.basename(src)}


class Tnftp(Client):
    name, binary = "tnftp", "tnftp"

    def cmd(self, b, s, what, rel, path, d, src, dst):
        u = f"ftp://{b.ctx.user}:{b.ctx.password}@127.0.0.1:{s.port}/"
        if what == "get1":
            return {"argv": ["tnftp", "-V", "-o", f"{dst}/got", u + rel]}
        if what == "put1":
            return {"argv": ["tnftp", "-V", "-u", u + "up/put", path]}
        return None


class Rclone(Client):
    name, binary, protocols = "rclone", "rclone", ("ftp", "ftps", "sftp")

    def cmd(self, b, s, what, rel, path, d, src, dst):
        pw = subprocess.run(["rclone", "obscure", b.ctx.password], capture_output=True, text=True).stdout.strip()
        if s.proto == "sftp":
            r = f":sftp,host=127.0.0.1,port={s.port},user={b.ctx.user},key_file={b.ctx.clientkey},shell_type=none:"
        else:
            r = f":ftp,host=127.0.0.1,port={s.port},user={b.ctx.user},pass={pw}"
            # with TLS 1.3 this version and vsftpd do not understand each other
            r += ",explicit_tls=true,no_check_certificate=true,disable_tls13=true:" if s.proto == "ftps" else ":"
        a = ["rclone", "--config", "/dev/null", "-q"]
        if what == "get1":
            return {"argv": a + ["copyto", r + rel, f"{dst}/got"]}
        if what == "put1":
            return {"argv": a + ["copyto", path, r + "up/put"]}
        if what == "getn":
            return {"argv": a + ["copy", r + d, f"{dst}/dir"]}
        return {"argv": a + ["copy", src, r + "up/dir"]}


class Sftp(Client):
    name, binary, protocols = "sftp", "sftp", ("sftp",)

    def cmd(self, b, s, what, rel, path, d, src, dst):
        a = ["sftp", *SSH_OPTS, "-c", CIPHER, "-i", b.ctx.clientkey, "-P", str(s.port), "-q", "-b", "-",
             f"{b.ctx.user}@127.0.0.1"]
        line = {"get1": f"get {rel} {dst}/got", "put1": f"put {path} up/put",
                "getn": f"get -r {d} {dst}/dir", "putn": f"put -r {src} up/dir"}[what]
        if what == "putn":
            line = "mkdir up/dir\n" + f"put -r {src}/. up/dir"
        return {"argv": a, "input": line + "\n"}


class Scp(Client):
    name, binary, protocols = "scp -O", "scp", ("sftp",)
    flag = "-O"

    def cmd(self, b, s, what, rel, path, d, src, dst):
        a = ["scp", self.flag, *SSH_OPTS, "-c", CIPHER, "-i", b.ctx.clientkey, "-P", str(s.port), "-q"]
        r = f"{b.ctx.user}@127.0.0.1:"
        return {"argv": a + {"get1": [r + rel, f"{dst}/got"], "put1": [path, r + "up/put"],
                             "getn": ["-r", r + d, f"{dst}/dir"], "putn": ["-r", src, r + "up/dir"]}[what]}


class ScpS(Scp):
    name, flag = "scp (sftp mode)", "-s"


class Psftp(Client):
    """PuTTY's clients; they keep host keys in HOME, so the key is given."""

    name, binary, protocols = "pscp", "pscp", ("sftp",)

    def cmd(self, b, s, what, rel, path, d, src, dst):
        fp = subprocess.run(["ssh-keygen", "-lf", b.ctx.hostkey + ".pub"], capture_output=True,
                            text=True).stdout.split()[1]
        a = ["pscp", "-batch", "-sftp", "-q", "-hostkey", fp, "-P", str(s.port), "-l", b.ctx.user, "-pw",
             b.ctx.password]
        r = "127.0.0.1:"
        cmd = {"argv": a + {"get1": [r + rel, f"{dst}/got"], "put1": [path, r + "up/put"],
                            "getn": ["-r", r + d, f"{dst}/dir"], "putn": ["-r", src, r + "up/"]}[what],
               "home": b.ctx.work}
        if what == "putn":
            cmd["result"] = os.path.basename(src)
        return cmd


class Atftp(Client):
    name, binary, protocols = "atftp", "atftp", ("tftp",)
    opts = ()

    def cmd(self, b, s, what, rel, path, d, src, dst):
        a = ["atftp", "--option", "blksize 1428", *self.opts]
        if what == "get1":
            return {"argv": a + ["-g", "-r", rel, "-l", f"{dst}/got", "127.0.0.1", str(s.port)]}
        return None


class AtftpW(Atftp):
    name, opts = "atftp windowsize 8", ("--option", "windowsize 8")


class CurlTftp(Client):
    name, binary, protocols = "curl", "curl", ("tftp",)

    def cmd(self, b, s, what, rel, path, d, src, dst):
        if what == "get1":
            return {"argv": ["curl", "-q", "-sS", "--tftp-blksize", "1428", f"tftp://127.0.0.1:{s.port}/{rel}",
                             "-o", f"{dst}/got"]}
        return None


ALL = [WharfClient, Lftp, Lftp8, Curl, Ncftp, Tnftp, Rclone, Sftp, Scp, ScpS, Psftp, Atftp, AtftpW, CurlTftp]


def names():
    return [c.name for c in ALL]


def scenario(b):
    size = (64 << 20) if b.a.quick else (1 << 30)
    count = b.a.count or (300 if b.a.quick else 10000)
    rel, path = b.big(size)
    want = b.sha(path)
    d = b.small(count)
    src = f"{b.ctx.home}/{d}"
    dst = f"{b.ctx.work}/tmpfs/local"
    updir = f"{b.ctx.home}/up"
    os.makedirs(dst, exist_ok=True)
    trel, tpath = b.big(64 << 20 if not b.a.quick else 4 << 20, "tftp")
    for proto, server in (("ftp", "vsftpd"), ("ftps", "vsftpd"), ("sftp", "openssh"), ("tftp", "atftpd")):
        cl = [c() for c in ALL if proto in c.protocols and (not b.a.clients or c.name in b.a.clients)]
        cl = [c for c in cl if c.ok()]
        n = min(count, 200) if proto == "ftps" else count  # some need 200 ms a file
        sd = b.small(n)
        ssrc = f"{b.ctx.home}/{sd}"
        with b.serving(proto, [server]) as up:
            if not up:
                continue
            s = up[0]
            for what, label in (("get1", "download"), ("put1", "upload"),
                                ("getn", f"download of {n} x 4 KiB"), ("putn", f"upload of {n} x 4 KiB")):
                big = what.endswith("1")
                r1, p1, sz = (trel.split("/", 1)[1], tpath, os.path.getsize(tpath)) if proto == "tftp" \
                    else (rel, path, size)
                rows = {c.name: {"server": c.name, "runs": []} for c in cl
                        if c.cmd(b, s, what, r1, p1, sd, ssrc, dst)}
                if not rows:
                    continue
                rounds = b.a.rounds if big else min(b.a.rounds, 3)
                for k in range(rounds + 1):
                    for c in cl:
                        row = rows.get(c.name)
                        if not row or "err" in row:
                            continue
                        b.clean(dst)
                        b.clean(updir)
                        cmd = c.cmd(b, s, what, r1, p1, sd, ssrc, dst)
                        b.lock.take()
                        c0 = s.group.cpu()
                        r = run(cmd, sample=k == 0)
                        c1 = s.group.cpu()
                        if k == 0:
                            row["pss"] = r["pss"] / 1024
                        b.lock.breathe()
                        where = dst if what.startswith("get") else updir
                        res = cmd.get("result") or (("got" if what == "get1" else "put") if big else "dir")
                        res = f"{where}/{res}"
                        bad = check(b, res, big, sz, n, want if k == 0 and proto != "tftp" else None)
                        if r["rc"] or (bad and r["err"]):
                            bad = f"rc {r['rc']} {r['err'].strip()[-110:]}"
                        if bad:
                            row["err"] = bad.replace("\n", " ")
                            print(proto, what, c.name, bad, flush=True)
                        elif k:
                            row["runs"].append({"secs": r["secs"], "bytes": sz, "ops": n if not big else 1,
                                                "client": r["cpu"], "server": c1[0] - c0[0]})
                    b.lock.give()
                table(b, f"Clients, {proto.upper()} {label} ({server})" +
                      (f", {sz >> 20} MiB" if big else ""), list(rows.values()), big)
    b.clean(dst)


ROUND_TRIP = 50  # ms


def latency(b):
    """Small files over a long line: what counts is how many round trips a client waits for."""
    count = b.a.count or 100
    d = b.small(count)
    src = f"{b.ctx.home}/{d}"
    dst = f"{b.ctx.work}/tmpfs/local"
    updir = f"{b.ctx.home}/up"
    os.makedirs(dst, exist_ok=True)
    cl = [c() for c in ALL if "sftp" in c.protocols and (not b.a.clients or c.name in b.a.clients)]
    cl = [c for c in cl if c.ok()]
    for server in (b.a.servers or "openssh-internal").split(","):
        with b.serving("sftp", [server]) as up:
            if not up:
                continue
            port = up[0].port + 1000
            relay = subprocess.Popen([sys.executable, f"{os.path.dirname(os.path.abspath(__file__))}/relay.py",
                                      str(port), str(up[0].port), str(ROUND_TRIP / 2)],
                                     stdout=subprocess.PIPE, text=True)
            relay.stdout.readline()
            far = types.SimpleNamespace(port=port, proto="sftp", name=up[0].name)
            for what, label in (("getn", "download"), ("putn", "upload")):
                rows = [{"server": c.name, "runs": []} for c in cl]
                for k in range(b.a.rounds):
                    for c, row in zip(cl, rows):
                        if "err" in row:
                            continue
                        b.clean(dst)
                        b.clean(updir)
                        cmd = c.cmd(b, far, what, "", "", d, src, dst)
                        r = run(cmd)
                        where = dst if what == "getn" else updir
                        bad = check(b, f"{where}/{cmd.get('result') or 'dir'}", False, 0, count, None)
                        if r["rc"] or bad:
                            row["err"] = f"rc {r['rc']} {bad or ''} {r['err'].strip()[-110:]}".replace("\n", " ")
                            print(what, c.name, row["err"], flush=True)
                        else:
                            row["runs"].append({"secs": r["secs"], "bytes": 0, "ops": count,
                                                "client": r["cpu"], "server": 0})
                table(b, f"SFTP {label} of {count} x 4 KiB, {ROUND_TRIP} ms round trip ({server})", rows, False)
            relay.kill()
            relay.wait()
    b.clean(dst)


def check(b, res, big, size, n, want):
    if big:
        if not os.path.exists(res) or os.path.getsize(res) != size:
            return "result is missing or short"
        return "checksum differs" if want and b.sha(res) != want else None
    p = subprocess.run([f"{b.ctx.tools}/loadgen", "check", f"path={res}/f%05d", "size=4096", f"count={n}"],
                       capture_output=True, text=True)
    return None if p.returncode == 0 else "files differ: " + p.stderr[:80]


def table(b, title, rows, big):
    m = measure.median
    good = [r for r in rows if r["runs"] and "err" not in r]
    ref = good[0] if good else None
    unit = "MB/s" if big else "files/s"
    per = "s/GB" if big else "s/10k"
    out = [["client", unit, "ratio", "seconds", f"client CPU {per}", "ratio", f"server CPU {per}", "peak PSS MiB"],
           ["---"] + ["---:"] * 7]
    for r in rows:
        v = r["runs"]
        if not v:
            out.append([r["server"], r.get("err", "no result")[:90]] + [""] * 6)
            continue
        q = [x["bytes"] / 1e9 if big else x["ops"] / 1e4 for x in v]
        sp = [x["bytes"] / 1e6 / x["secs"] if big else x["ops"] / x["secs"] for x in v]
        z = [(a, c) for a, c in zip(v, ref["runs"])] if ref else []
        r["speed"], r["client_cpu"] = m(sp), m([x["client"] / k for x, k in zip(v, q)])
        out.append([r["server"] + (" (!)" if "err" in r else ""), "%.0f" % m(sp),
                    "%.2f" % m([c["secs"] / a["secs"] for a, c in z]) if z else "-",
                    "%.2f" % m([x["secs"] for x in v]), "%.3f" % r["client_cpu"],
                    "%.2f" % m([a["client"] / c["client"] for a, c in z]) if z else "-",
                    "%.3f" % m([x["server"] / k for x, k in zip(v, q)]), "%.1f" % r.get("pss", 0)])
    b.emit(title, out, rows)
