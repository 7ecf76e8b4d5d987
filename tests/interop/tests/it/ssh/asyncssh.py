# The verbs of the tests, by asyncssh.
import asyncio
import os
import sys

import asyncssh

port, user, key, known_hosts, verb, *rest = sys.argv[1:]


async def continue_get(sftp, remote, local):
    with open(local, "ab") as target:
        async with sftp.open(remote, "rb") as source:
            await source.seek(target.tell())
            while block := await source.read(1 << 20):
                target.write(block)


async def continue_put(sftp, local, remote):
    with open(local, "rb") as source:
        offset = await sftp.getsize(remote)
        source.seek(offset)
        async with sftp.open(remote, "r+b") as target:
            await target.write(source.read(), offset)


async def main():
    async with asyncssh.connect("127.0.0.1", int(port), username=user, client_keys=[key],
                                known_hosts=known_hosts, config=None, agent_path=None) as connection:
        async with connection.start_sftp_client() as sftp:
            if verb == "put":
                await sftp.put(rest[0], rest[1])
            elif verb == "get":
                await sftp.get(rest[0], rest[1])
            elif verb == "put-tree":
                await sftp.put(rest[0], rest[1], recurse=True, preserve=True)
            elif verb == "get-tree":
                await sftp.get(rest[0], rest[1], recurse=True, preserve=True)
            elif verb == "ls":
                print("\n".join(await sftp.listdir(rest[0])))
            elif verb == "mv":
                await sftp.rename(rest[0], rest[1])
            elif verb == "continue-get":
                await continue_get(sftp, *rest)
            elif verb == "continue-put":
                await continue_put(sftp, *rest)
            else:
                sys.exit(f"no verb {verb}")


asyncio.run(main())
