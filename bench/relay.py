"""A relay that hands every byte on a fixed time later: a long line on one machine.

    relay.py LISTEN-PORT TARGET-PORT ONE-WAY-MILLISECONDS

Both directions are delayed, so the round trip is twice that. Bandwidth is what the machine has; bytes in
flight are bounded, so that a sender feels a full line."""
import asyncio
import collections
import sys

IN_FLIGHT = 64 << 20


async def carry(reader, writer, delay):
    loop = asyncio.get_running_loop()
    queue = collections.deque()
    waiting = asyncio.Event()
    room = asyncio.Event()
    room.set()
    held = 0

    async def deliver():
        nonlocal held
        while True:
            while not queue:
                waiting.clear()
                await waiting.wait()
            due, data = queue.popleft()
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if data is None:
                writer.close()
                return
            writer.write(data)
            await writer.drain()
            held -= len(data)
            if held < IN_FLIGHT:
                room.set()

    delivering = asyncio.create_task(deliver())
    try:
        while data := await reader.read(1 << 18):
            held += len(data)
            queue.append((loop.time() + delay, data))
            waiting.set()
            if held >= IN_FLIGHT:
                room.clear()
            await room.wait()
    except ConnectionError:
        pass
    queue.append((loop.time() + delay, None))
    waiting.set()
    try:
        await delivering
    except ConnectionError:
        pass


async def main(port, target, delay):
    async def accepted(reader, writer):
        # The connection itself takes a round trip, as on a line.
        await asyncio.sleep(2 * delay)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target, limit=1 << 20)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, far_writer, delay), carry(far_reader, writer, delay))

    server = await asyncio.start_server(accepted, "127.0.0.1", port, limit=1 << 20)
    print("READY", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
