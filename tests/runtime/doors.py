"""A door in front of a server that others use too: closed, the server is away for whoever goes through it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Door:
    """A loopback port that leads to another; it keeps its number while it is closed and opened again."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Break off every connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._passing):
            writer.transport.abort()
        while self._passing:
            await asyncio.sleep(0.001)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, far_writer}
        self._passing |= ends
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer), return_exceptions=True)
        self._passing -= ends


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def door(target: int) -> AsyncIterator[Door]:
    """An open door to a loopback port, for the length of the block."""
    one = Door(target)
    await one.open()
    try:
        yield one
    finally:
        await one.close()
