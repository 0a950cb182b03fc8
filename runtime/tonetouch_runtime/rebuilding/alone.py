"""One process at a time: replicas of a service rebuild nothing twice, and a killed one holds up nobody."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator

from sqlalchemy import Connection, text

from tonetouch_runtime._tables import Database


@contextlib.asynccontextmanager
async def alone(database: Database) -> AsyncIterator[bool]:
    """Whether this process is the one that rebuilds in this database, for as long as the block lasts.

    The lock ends with the process: of the file beside the tables, or of the connection to PostgreSQL.
    """
    taking = _taken_in_postgresql if database.schema is not None else _taken_beside
    async with taking(database) as is_ours:
        yield is_ours


@contextlib.asynccontextmanager
async def _taken_beside(database: Database) -> AsyncIterator[bool]:
    handle = os.open(f"{database.engine.url.database}.rebuilding", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


@contextlib.asynccontextmanager
async def _taken_in_postgresql(database: Database) -> AsyncIterator[bool]:
    name = {"name": f"{database.schema}.rebuilding"}

    def take() -> Connection | None:
        # Outside any transaction, so that holding the lock holds up nothing else.
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.execute(text("select pg_try_advisory_lock(hashtext(:name))"), name).scalar():
            return connection
        connection.close()
        return None

    def give_back(connection: Connection) -> None:
        with connection:
            connection.execute(text("select pg_advisory_unlock(hashtext(:name))"), name)

    # Neither is left half way by whoever is told to stop: the lock would stay with a connection that nobody has.
    taking = asyncio.create_task(asyncio.to_thread(take))
    try:
        yield await asyncio.shield(taking) is not None
    finally:
        if (held := await taking) is not None:
            await asyncio.shield(asyncio.create_task(asyncio.to_thread(give_back, held)))
