"""A door before one broker, which can hide it: then clients hear what one says that has just lost its controller. Or it can
swallow what goes over the connections that are there, as a firewall does that has forgotten them.

A broker that was frozen is taken out of the cluster for a moment, and when it is back may answer a question for metadata
before it has noticed: there are no brokers at all, it says.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterable
from functools import partial

from millstream.router import MONOTONIC
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.mock_cluster import Request

HOST = "127.0.0.1"
READY_SECONDS = 60.0
FLEXIBLE_METADATA = 9
"""The version of its answer from which on arrays and strings have lengths of one to five bytes."""


class BrokerProxy:
    """Passes on what clients and the broker at *address* say to each other, on two ports; its methods may be called anywhere.

    One port is for `bootstrap.servers`, the other is what the broker's answers name as its own.
    """

    def __init__(self, address: str) -> None:
        self._target = int(address.rpartition(":")[2])
        self._loop = asyncio.new_event_loop()
        self._to_clients: dict[asyncio.StreamWriter, bool] = {}
        """Open connections, and whether they are to the broker's own port."""
        self._swallowing: set[asyncio.StreamWriter] = set()
        """Connections over which nothing comes through any more."""
        self._is_hiding = False
        self._servers: list[asyncio.Server] = []
        self._ports: list[int] = []
        self._is_ready, self._is_ending = threading.Event(), asyncio.Event()
        self.answers_without_brokers = 0
        """How often a client was told that there are none."""
        self._thread = WorkerThread("broker-proxy", lambda: self._loop.run_until_complete(self._run()))
        self._thread.start()
        assert self._is_ready.wait(READY_SECONDS)
        self.bootstrap_servers = f"{HOST}:{self._ports[0]}"
        """What goes into `bootstrap.servers`."""

    def close(self) -> None:
        """Cut every connection and listen no more."""
        self._loop.call_soon_threadsafe(self._is_ending.set)
        assert self._thread.join(MONOTONIC.now() + READY_SECONDS)
        self._loop.close()
        if self._thread.error is not None:
            raise self._thread.error

    def hide(self) -> None:
        """Refuse the broker's own port, also to who is connected, and tell everybody else that there are no brokers."""
        self._loop.call_soon_threadsafe(self._hide)

    def show(self) -> None:
        """Let everything pass again."""
        self._is_hiding = False

    def swallow(self) -> None:
        """Let nothing more through on the connections that are there, in either direction, and keep them open; new ones work."""
        self._loop.call_soon_threadsafe(lambda: self._swallowing.update(self._to_clients))

    def move(self) -> None:
        """Leave the broker's own port for another, which later answers name."""
        asyncio.run_coroutine_threadsafe(self._move(), self._loop).result(READY_SECONDS)

    async def _move(self) -> None:
        self._servers[1].close()
        await self._listen(1)
        self._hide()
        self._is_hiding = False

    def _hide(self) -> None:
        self._is_hiding = True
        self._cut([to_client for to_client, is_own in self._to_clients.items() if is_own])

    def _cut(self, to_clients: Iterable[asyncio.StreamWriter]) -> None:
        for each in to_clients:
            each.transport.abort()

    async def _run(self) -> None:
        await self._listen(0)
        await self._listen(1)
        self._is_ready.set()
        await self._is_ending.wait()
        for server in self._servers:
            server.close()
        self._cut(self._to_clients)
        while self._to_clients:
            await asyncio.sleep(0.001)

    async def _listen(self, place: int) -> None:
        server = await asyncio.start_server(partial(self._serve, is_own=bool(place)), HOST, 0)
        self._servers[place:] = [server]
        self._ports[place:] = [server.sockets[0].getsockname()[1]]

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter, *, is_own: bool) -> None:
        if is_own and self._is_hiding:
            to_client.transport.abort()
            return
        self._to_clients[to_client] = is_own
        broker, to_broker = await asyncio.open_connection(HOST, self._target)
        asked: dict[bytes, tuple[int, int]] = {}
        """Type and version of each request without an answer, by its number."""
        answering = asyncio.ensure_future(self._answer(broker, to_client, asked))
        async for frame in frames(client):
            if to_broker.is_closing():
                break
            if to_client in self._swallowing:
                continue
            asked[frame[4:8]] = int.from_bytes(frame[:2]), int.from_bytes(frame[2:4])
            to_broker.write(len(frame).to_bytes(4) + frame)
        to_broker.transport.abort()
        await answering
        del self._to_clients[to_client]
        self._swallowing.discard(to_client)

    async def _answer(
        self, broker: asyncio.StreamReader, to_client: asyncio.StreamWriter, asked: dict[bytes, tuple[int, int]]
    ) -> None:
        async for frame in frames(broker):
            if to_client.is_closing():
                break
            if to_client in self._swallowing:
                continue
            request, version = asked.pop(frame[:4])
            answer = self._renamed(frame) if request in (Request.METADATA, Request.FIND_COORDINATOR) else frame
            if request == Request.METADATA and self._is_hiding:
                self.answers_without_brokers += 1
                answer = without_brokers(answer, version)
            to_client.write(len(answer).to_bytes(4) + answer)
        to_client.transport.abort()

    def _renamed(self, frame: bytes) -> bytes:
        """Return an answer with our port in place of the broker's own."""
        return frame.replace(HOST.encode() + self._target.to_bytes(4), HOST.encode() + self._ports[1].to_bytes(4))


async def frames(source: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Return requests or answers one by one, without their lengths."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            yield await source.readexactly(int.from_bytes(await source.readexactly(4)))


def without_brokers(frame: bytes, version: int) -> bytes:
    """Return an answer to a question for metadata with no brokers in it."""
    if version < FLEXIBLE_METADATA:
        start = 8  # number and throttle time
        at = start + 4
        for _ in range(int.from_bytes(frame[start:at])):
            at = _after_string(frame, at + 4, False) + 4
            at = _after_string(frame, at, False)
        return frame[:start] + bytes(4) + frame[at:]
    start = 9
    count, at = _varint(frame, start)
    for _ in range(count - 1):
        at = _after_string(frame, at + 4, True) + 4
        at = _after_string(frame, at, True) + 1  # no tags
    return frame[:start] + b"\x01" + frame[at:]


def _varint(frame: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at *at*, seven bits to a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = frame[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _after_string(frame: bytes, at: int, is_compact: bool) -> int:
    if is_compact:
        length, at = _varint(frame, at)
        return at + max(0, length - 1)
    return at + 2 + max(0, int.from_bytes(frame[at : at + 2], signed=True))
