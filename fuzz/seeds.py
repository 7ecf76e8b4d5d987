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
SFTP_TRANSCRIPTS = sorted((HERE.parent / "crates/wharf-proto/src/sftp").rglob("transcripts/*.txt"))
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


SCP_COMMANDS = [
    b"scp -r -p -d -t 'a b'", b"scp -v -f ~/*.[ch] -- \\*", b'md5sum "a\\"b" c', b"df -k .", b"echo -n a  b", b"scp -t a;id",
]
SCP_SOURCES = [
    b"T1000000000 5 1100000000 7\nC0644 5 a b\nhello\0D0755 0 d\nC0600 0 e\n\0E\n\1scp: x: no\n\2gone\n",
    b"C0644 3 f\nabc\1scp: f: Input/output error\nC0644 4294967296 big\nx", b"D0777 0 .\n", b"C0644 1 ../x\n",
]
# Header, then steps: relative ACK or block 0, any number 1, datagram 2, time 3 and 4, repeat 5, end 6, settle 7.
TFTP_SENDERS = [
    b"\x01\x14\0\4" + b"\0\0" + b"\0\4" * 5 + b"\4\0" * 3 + b"\0\1\0\0\0\3",
    b"\xf6\xff\x7f\xff" + b"\0\0" + b"\1\x7f\xff" * 9 + b"\4\0" * 3, b"\x10\2\0\1" + b"\0\1" * 4 + b"\4\0" * 20,
    b"\x08\x05\0\4\2\x14\0\6blksize\x008\0windo\0" + b"\0\0\0\4\5\0", b"\0\1\0\1\5\0\2\x08\0\5\0\x08stop\0\0",
]
TFTP_RECEIVERS = [
    b"\0\0\4" + b"\0\0\x20" * 9 + b"\0\2\x20" + b"\0\0\x20\0\1\x20\4\0" * 3 + b"\0\0\1\7\0\0\xff\x20\4\0\4\0",
    b"\x10\0\1" + b"\0\0\x20\0\xff\x20" * 5 + b"\4\0" * 9, b"\x08\0\4\2\x0f\0\6blksize\x00512\0" + b"\0\0\x20" * 5 + b"\0\0\1\7\0",
    b"\x06\xff\xff" + b"\0\0\x20" * 20 + b"\0\0\0",
]
SCP_ANSWERS = [b"\0" * 12, b"\1scp: x: Not a directory\n", b"\0\0\1scp: a: no\n\0\0\0\2full\n", b"sh: scp: not found\n"]

TFTP_PACKETS = [
    b"\0\1f\0octet\0", b"\0\2/dir/f\0NetASCII\0tsize\x00500\0", b"\0\1f\0octet", b"\0\1f\0mail\0", b"\0\1\0\0", b"\0\2f",
    b"\0\1pxelinux.0\0octet\0tsize\x000\0blksize\x001468\0", b"\0\1f\0octet\0blksize\0", b"\0\1f\0octet\0multicast\0\0" + b"\0" * 40,
    b"\0\1f\0octet\0BLKSIZE2\x0065536\0utimeout\x0010000\0rollover\x001\0windowsize\x0065535\0msftwindow\x0031416\0",
    b"\0\3\0\1line\r\nline\r\0\r", b"\0\4\xff\xff", b"\0\5\0\x08Early terminate\0", b"\0\5\0\0no NUL",
    b"\0\6tsize\x005000000000\0blksize\x001428\0timeout\x002\0windowsize\x0016\0", b"\0\6rollover\x000\0",
    b"\0\6tsize\0-1\0windowsize\x000\0", b"\0\7", b"\x08a\nb\rc\r\n\0\r",
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


SFTP_KINDS = {name: number for number, name in enumerate(
    "INIT VERSION OPEN CLOSE READ WRITE LSTAT FSTAT SETSTAT FSETSTAT OPENDIR READDIR REMOVE MKDIR RMDIR REALPATH STAT "
    "RENAME READLINK SYMLINK".split(), 1)} | {name: number for number, name in enumerate(
        "STATUS HANDLE DATA NAME ATTRS".split(), 101)} | {"EXTENDED": 200, "EXTENDED_REPLY": 201}
SFTP_FIELD = re.compile(r"\"([^\"]*)\"|'([^']*)'|x([0-9a-f]+)|(\d+)(?::(64|8))?")


def sftp_fields(text):
    """The octets of a packet's fields, see the README of the transcripts."""
    out = b""
    for string, raw, digits, number, width in SFTP_FIELD.findall(text):
        octets = unescape((string or raw).encode())
        if digits:
            out += bytes.fromhex(digits)
        elif number:
            out += int(number).to_bytes(int(width or 32) // 8, "big")
        else:
            out += (b"" if raw else len(octets).to_bytes(4, "big")) + octets
    return out


def sftp_packet(text):
    kind, _, rest = text.partition(" ")
    return bytes([SFTP_KINDS.get(kind) or int(kind)]) + sftp_fields(rest)


def sftp():
    """Every packet by itself, and every conversation from either side."""
    for path in SFTP_TRANSCRIPTS:
        for session in re.split(r"^% .*$", path.read_text(), flags=re.M):
            said = heard = b""
            for line in session.splitlines():
                packet = sftp_packet(line[3:].removesuffix(" ...")) if line[:3] in ("C: ", "S: ") else b""
                framed = len(packet).to_bytes(4, "big") + packet
                if line.startswith("C= "):
                    said += sftp_fields(line[3:])
                elif line.startswith("C: "):
                    put("sftp_packet", packet)
                    said += framed
                elif packet:
                    # A response is read without its identifier.
                    put("sftp_packet", packet[:1] + packet[5:])
                    heard += framed
            for choice in (0, 1, 0xFE):
                put("sftp_server", bytes([choice]) + said + bytes([0, 1, 3, 2]) * (len(said) // 28))
            for count in range(32):
                # The requests that are open are numbered from nought on.
                put("sftp_client", bytes([count]) + bytes(range(count)) + heard)
    version = b"\0\0\0\5\2\0\0\0\3"
    answers = [b"\x67%s\0\0\0\3abc", b"\x66%s\0\0\0\1h", b"\x68%s\0\0\0\1\0\0\0\1f\0\0\0\1l\0\0\0\0",
               b"\x68%s\0\0\0\1\0\0\0\1/\0\0\0\1/\0\0\0\0", b"\x69%s\0\0\0\0", b"\x65%s\0\0\0\0", b"\x65%s\0\0\0\4",
               b"\xc9%s" + bytes(32), b"\xc9%s" + bytes(88), b"\xc9%s\0\0\0\5\0\0\0\1u\0\0\0\0", b"\xc9%s\0\0\0\3md5abc",
               b"\xc9%s\0\0\0\x08md5-hash\0\0\0\0", b"\xc9%s" + bytes(36)]
    packets = [answer % number.to_bytes(4, "big") for number, answer in enumerate(answers)]
    put("sftp_client", bytes([14]) + bytes(range(14)) + version + b"".join(len(p).to_bytes(4, "big") + p for p in packets))


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
    sftp()
    for path in PATHS:
        put("virtual_path", path)
    for line in (b"PORT 127,0,0,1,200,10", b"EPRT |2|::1|50000|", b"\xff\xf4\xff\xf2ABOR", b"CWD a\r\0b"):
        put("ftp_command", b"\0" + line + b"\r\n")
    for command in SCP_COMMANDS:
        put("scp_command", command)
    for said in SCP_SOURCES:
        for first in (0xF1, 0xF3, 0x01):
            put("scp_sink", bytes([first]) + said)
    for answers in SCP_ANSWERS:
        put("scp_source", b"\7" + b"\1\2\3\4\5\6" + b"\xff" + answers)
    for packet in TFTP_PACKETS:
        put("tftp_packet", packet)
    for steps in TFTP_SENDERS:
        put("tftp_sender", steps)
    for steps in TFTP_RECEIVERS:
        put("tftp_receiver", steps)
    print(f"corpus: {len(TRANSCRIPTS) + len(SFTP_TRANSCRIPTS)} transcripts")


main()
