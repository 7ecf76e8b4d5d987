# The verbs of the tests, by paramiko.
import os
import stat
import sys

import paramiko

port, user, key, known_hosts, verb, *rest = sys.argv[1:]
client = paramiko.SSHClient()
client.load_host_keys(known_hosts)
client.connect("127.0.0.1", int(port), user, key_filename=key, allow_agent=False, look_for_keys=False)
sftp = client.open_sftp()


def put(local, remote):
    sftp.put(local, remote)
    facts = os.stat(local)
    sftp.chmod(remote, stat.S_IMODE(facts.st_mode))
    sftp.utime(remote, (facts.st_mtime, facts.st_mtime))


def get(remote, local):
    sftp.get(remote, local)
    facts = sftp.stat(remote)
    os.chmod(local, stat.S_IMODE(facts.st_mode))
    os.utime(local, (facts.st_mtime, facts.st_mtime))


def put_tree(local, remote):
    sftp.mkdir(remote)
    for entry in os.scandir(local):
        (put_tree if entry.is_dir() else put)(entry.path, f"{remote}/{entry.name}")


def get_tree(remote, local):
    os.mkdir(local)
    for entry in sftp.listdir_attr(remote):
        step = get_tree if stat.S_ISDIR(entry.st_mode) else get
        step(f"{remote}/{entry.filename}", f"{local}/{entry.filename}")


def continue_get(remote, local):
    with sftp.open(remote, "rb") as source, open(local, "ab") as target:
        source.seek(target.tell())
        source.prefetch(source.stat().st_size)
        while block := source.read(32768):
            target.write(block)


def continue_put(local, remote):
    with sftp.open(remote, "ab") as target, open(local, "rb") as source:
        source.seek(sftp.stat(remote).st_size)
        target.set_pipelined(True)
        while block := source.read(32768):
            target.write(block)


def digest(name, algorithm):
    with sftp.open(name, "rb") as file:
        print(file.check(algorithm, 0, 0, 0).hex())


{
    "put": put,
    "get": get,
    "put-tree": put_tree,
    "get-tree": get_tree,
    "ls": lambda folder: print("\n".join(sftp.listdir(folder))),
    "mv": sftp.rename,
    "continue-get": continue_get,
    "continue-put": continue_put,
    "hash": digest,
}[verb](*rest)
client.close()
