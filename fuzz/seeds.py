#!/usr/bin/env python3
"""Makes the first corpus of every fuzz target from the golden transcripts.

`C:` lines are what a client says, `S:` lines what a server says. The corpus directory is not kept
in the repository: it grows on the machine that fuzzes.
"""
import hashlib
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
TRANSCRIPTS = sorted((HERE.parent / "crates/wharf-proto/src/ftp").rglob("transcripts/*.txt"))
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")

LISTINGS = [
    b"-rw-r--r--   1 anna     staff        1024 Jan  1 10:00 file1.txt\r\n",
    b"drwxr-xr-x   2 anna     staff        4096 Feb 29  2024 a dir\r\n",
    b"lrwxrwxrwx   1 0 0 6 Mar  3 03:03 link -> target\r\ntotal 12\r\n",
    b"01-02-26  03:04PM       <DIR>          Program Files\r\n01-02-26  03:04AM             12345 x.txt\r\n",
    b"+i8388621.29609,m824255902,/,\tdev\r\n+i8388621.44468,m839956783,r,s10376,\tRFCEPLF\r\n",
    b"type=file;size=5;modify=20260101000000;perm=adfrw;unique=1g2; name with space\r\n",
    b"type=cdir;; /\r\ntype=OS.unix=slink:/x; y\r\n",
]
PATHS = [b"/a/b\n../c", b"/\n../../etc/passwd", b"a//b/./c\n/x/../y", "/Grüße\nфайл".encode(), b"/" + b"d/" * 100 + b"\n.."]
REPLIES = [
    b"227 Entering Passive Mode (127,0,0,1,200,10).\r\n", b"229 Entering Extended Passive Mode (|||50000|)\r\n",
    b"257 \"/a \"\"b\"\" c\" created.\r\n", b"211-Features:\r\n MLST type*;size*;\r\n REST STREAM\r\n211 End\r\n",
    b"213 SHA-256 0-4 " + b"0" * 64 + b" f\r\n", b"250-Listing\r\n type=file;size=5; /f\r\n250 End\r\n",
    b"150 Opening BINARY mode data connection for f (5 bytes).\r\n226 Transfer complete.\r\n",
    b"250-one\n550 x\n\n250 end\n", b"\xff\xfb\x01220 hi\r\n", b"HTTP/1.1 400 Bad Request\r\n",
]


def spoken(lines, speaker):
    """What one side says; a line that ends in `\\c` is not ended."""
    out = b""
    for line in lines:
        if line.startswith(speaker):
            text = line[2:].removeprefix(b" ")
            out += unescape(text[:-2]) if text.endswith(b"\\c") else unescape(text) + b"\r\n"
    return out


def unescape(text):
    named = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}

    def one(match):
        what = match[1]
        return bytes([int(what[1:], 16)]) if what[:1] == b"x" and len(what) == 3 else named.get(what, what)

    return ESCAPE.sub(one, text)


def tls_settings(lines):
    """The second octet of the server target: what the transcript's settings say of TLS."""
    marks = {b"% require login": 1, b"% require data": 2, b"% require both": 3, b"% tls": 4, b"% ccc": 8, b"% implicit": 16}
    return sum(marks.get(line, 0) for line in lines)


def put(target, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)


def main():
    for path in TRANSCRIPTS:
        lines = path.read_bytes().splitlines()
        said, heard = spoken(lines, b"C:"), spoken(lines, b"S:")
        put("ftp_command", b"\0" + said)
        # The last quarter chooses what the session answers.
        login = b"" if b"USER" in said else b"USER anna\r\nPASS secret\r\n"
        for choice in (0xF8, 0xFF, 7):
            put("ftp_server", bytes([choice, tls_settings(lines)]) + login + said + bytes([5, 6, 1]) * (len(login + said) // 9))
        put("ftp_reply", heard)
        put("ftp_client", b"\3" + b"\0".join(bytes([20 + n]) + reply + b"\n" for n, reply in enumerate(heard.split(b"\n"))))
    # Telnet options 0 and 10: numbers that mean something else to whoever looks at bytes only.
    for option in (b"\0", b"\n"):
        put("ftp_server", b"\xf8\0" + b"\xff\xfd" + option + b"NOOP\r\nQUIT\r\n" + b"\1" * 8)
    for reply in REPLIES:
        put("ftp_reply", reply)
        put("ftp_client", b"\2\x14" + reply)
    for listing in LISTINGS:
        for form in range(3):
            put("listing", bytes([form]) + listing)
    for path in PATHS:
        put("virtual_path", path)
    for line in (b"PORT 127,0,0,1,200,10", b"EPRT |2|::1|50000|", b"\xff\xf4\xff\xf2ABOR", b"CWD a\r\0b"):
        put("ftp_command", b"\0" + line + b"\r\n")
    print(f"corpus: {len(TRANSCRIPTS)} transcripts")


main()
