"""Making a backup: streams, state databases and objects in one folder, as they were at one moment.

While others go on, the order keeps it whole. First how far each consumer was, then queues, then state, then the streams
and what was uploaded, then the other objects: whatever is copied later may know more, so that after a restore something
is done again at most, and handling an event twice changes nothing. Streams that have grown meanwhile are copied again
until none has: then all of them are of one moment.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO

import msgspec
from nats.aio.client import Client

from tonetouch_contracts.manifest import CONSUMERS, QUEUES, STREAMS
from tonetouch_deploy.events.backup import (
    SHAPE,
    Backup,
    DatabaseCopy,
    ObjectCopy,
    Place,
    StreamCopy,
    copy_database,
    hash_of,
    say_all,
)
from tonetouch_deploy.events.counting import Counter
from tonetouch_deploy.events.looking import StreamInfo, truth_streams
from tonetouch_deploy.events.reaching import api
from tonetouch_deploy.events.snapshots import digest, take
from tonetouch_deploy.settings import CannotStartError
from tonetouch_runtime import ObjectMissing, Objects, Settings, TonetouchError

MOST_ROUNDS = 20
_LONGER_SECONDS = 0.02
UPLOADED = "incoming/"
"""What lies under it goes when it has been listened to; objects elsewhere stay."""

_SPOKEN = ".voice"
"""What somebody just said to the search: it is gone in seconds, and nobody's to keep."""


async def backed_up(
    client: Client, settings: Settings, place: Place, counter: Counter, *, state: bool = True
) -> Backup:
    """Make a backup of a running installation. Raises CannotStartError where it cannot be made, or not at one moment.

    Every stream of truth is read once more than it is copied, for the digest that a restore is checked against.
    """
    _prepare(place)
    consumers = await _positions(client)
    queues = {queue.name: await _copied(client, place, queue.name) for queue in QUEUES}
    databases = await asyncio.to_thread(_databases, settings, place) if state else {}
    try:
        async with Objects(settings.object_store) as objects:
            with place.listing.open("wb") as listing:
                copying = _Copying(objects, place, listing, counter)
                truth = await _at_one_moment(client, place, copying)
                taken = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                await copying.under("")
    except TonetouchError as error:
        raise CannotStartError(f"The objects were not copied: {error}.") from error
    streams = {name: await _digested(client, name, copy) for name, copy in truth.items()}
    backup = Backup(
        shape=SHAPE,
        taken=taken,
        streams=queues | streams,
        consumers=consumers,
        databases=databases,
        objects=len(copying.copied),
        object_bytes=copying.bytes,
        objects_sha256=hash_of(place.listing),
    )
    say_all(place, backup)
    return backup


def _prepare(place: Place) -> None:
    try:
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(place.folder.iterdir()):
            raise CannotStartError(f"{place.folder} is not empty: a backup has a folder of its own.")
        for part in ("streams", "state", "objects"):
            (place.folder / part).mkdir(mode=0o700)
    except OSError as error:
        raise CannotStartError(f"{place.folder} cannot be written: {error.strerror}.") from error


class _Floor(msgspec.Struct, frozen=True):
    stream_seq: int = 0


class _ConsumerInfo(msgspec.Struct, frozen=True):
    ack_floor: _Floor


async def _positions(client: Client) -> dict[str, int]:
    """Up to where each durable consumer of a stream of truth is done; in a queue lies what is not done yet."""
    queues = {queue.name for queue in QUEUES}
    found = {}
    for declared in CONSUMERS:
        if declared.stream not in queues:
            place = f"{declared.stream}.{declared.name}"
            found[place] = (await api(client, f"CONSUMER.INFO.{place}", {}, _ConsumerInfo)).ack_floor.stream_seq
    return found


def _databases(settings: Settings, place: Place) -> dict[str, DatabaseCopy]:
    found = sorted((settings.data / "tables").glob("*/state.db"))
    return {path.parent.name: copy_database(path, place.database(path.parent.name)) for path in found}


async def _at_one_moment(client: Client, place: Place, copying: "_Copying") -> dict[str, StreamCopy]:
    """Copy all streams of truth, and those again that have grown meanwhile, until none has."""
    copies: dict[str, StreamCopy] = {}
    for rounds in range(MOST_ROUNDS):
        grown = [name for name, head in (await _heads(client)).items() if _last(copies, name) != head]
        if copies and not grown:
            return copies
        # Who says one thing says the next a moment later: a pause between the two is what is waited for.
        await asyncio.sleep(rounds * _LONGER_SECONDS)
        for name in grown:
            copies[name] = await _copied(client, place, name)
        await copying.under(UPLOADED)
    raise CannotStartError(
        f"{', '.join(grown)} grew faster than it was copied: back up when less happens, or stop the services first."
    )


def _last(copies: Mapping[str, StreamCopy], name: str) -> int | None:
    return copies[name].last_seq if name in copies else None


async def _heads(client: Client) -> dict[str, int]:
    infos: Sequence[StreamInfo] = await truth_streams(client, [stream.name for stream in STREAMS])
    return {info.config.name: info.state.last_seq for info in infos}


async def _copied(client: Client, place: Place, name: str) -> StreamCopy:
    snapshot = await take(client, name, place.stream(name))
    holds = snapshot.holds
    return StreamCopy(
        sha256=hash_of(place.stream(name)),
        messages=holds.messages,
        first_seq=holds.first_seq,
        last_seq=holds.last_seq,
        digest="",
        snapshot=snapshot,
    )


async def _digested(client: Client, name: str, copy: StreamCopy) -> StreamCopy:
    """With the hash of its messages, which can be read later: nothing that was said is ever changed."""
    messages, seen = await digest(client, name, copy.last_seq)
    if messages != copy.messages:
        raise CannotStartError(f"{name} has {messages:,} messages and says it has {copy.messages:,}.")
    return msgspec.structs.replace(copy, digest=seen)


class _Copying:
    """Objects that are copied, each once."""

    def __init__(self, objects: Objects, place: Place, listing: IO[bytes], counter: Counter) -> None:
        self._objects = objects
        self._place = place
        self._listing = listing
        self._counter = counter
        self.copied: set[str] = set()
        self.bytes = 0

    async def under(self, prefix: str) -> None:
        """Copy all whose keys begin so and that have not been copied yet."""
        async for key in self._missing(prefix):
            path = self._place.object(key)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                await self._objects.download(key, path)
            except ObjectMissing:
                # It went between the listing and now, and what was made of it is in what is copied after it.
                continue
            copy = ObjectCopy(key=key, size=path.stat().st_size, sha256=await asyncio.to_thread(hash_of, path))
            self._listing.write(msgspec.json.encode(copy) + b"\n")
            self.copied.add(key)
            self.bytes += copy.size
            self._counter.add(1)

    async def _missing(self, prefix: str) -> AsyncIterator[str]:
        async for found in self._objects.list(prefix):
            if found.key not in self.copied and not found.key.endswith(_SPOKEN):
                yield found.key
