"""tftpy as a program: get|put HOST PORT REMOTE LOCAL [NAME=NUMBER]..."""

import sys

import tftpy

verb, host, port, remote, local, *rest = sys.argv[1:]
options = {name: int(number) for name, number in (pair.split("=") for pair in rest)}
client = tftpy.TftpClient(host, int(port), options)
# Its timer never grows: short, it recovers at once.
patience = {"timeout": 0.2, "retries": 40}
if verb == "get":
    client.download(remote, local, **patience)
else:
    client.upload(remote, local, **patience)
