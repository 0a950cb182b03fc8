"""What a backup is: a folder with streams, state databases and objects, and `backup.json`, which says all of it.

Its hash, in `backup.sha256`, is written last: without it the folder is none. The keys of people are never in it; they
have a backup of their own, or bringing a backup back would undo an erasure.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import file_digest, sha256
from pathlib import Path

import msgspec

from tonetouch_deploy.appearing import appearing
from tonetouch_deploy.events.snapshots import Snapshot
from tonetouch_deploy.settings import CannotStartError

SHAPE = 1


class StreamCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A stream in a backup. `digest` is that of all its messages as they were read from the live stream."""

    sha256: str
    messages: int
    first_seq: int
    last_seq: int
    digest: str
    snapshot: Snapshot


class DatabaseCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A state database in a backup: its file, its rows by table, and a hash of what is in them."""

    sha256: str
    rows: dict[str, int]
    digest: str


class ObjectCopy(msgspec.Struct, frozen=True, kw_only=True):
    """An object in a backup: a line of `objects.ndjson`."""

    key: str
    size: int
    sha256: str


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """What `backup.json` says. `consumers` are the last sequences that each durable consumer was done with.

    Everything in it was so at the moment `taken`, when nothing had been appended since the first stream was copied.
    """

    shape: int
    taken: str
    streams: dict[str, StreamCopy]
    consumers: dict[str, int]
    databases: dict[str, DatabaseCopy]
    objects: int
    object_bytes: int
    objects_sha256: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The folder of a backup, and where what lies in it."""

    folder: Path

    def stream(self, name: str) -> Path:
        """The snapshot of a stream."""
        return self.folder / "streams" / f"{name}.snapshot"

    def database(self, service: str) -> Path:
        """The copy of a service's state database."""
        return self.folder / "state" / f"{service}.db"

    def object(self, key: str) -> Path:
        """The bytes of an object. Raises CannotStartError for a key that leads out of the folder."""
        inside = self.folder / "objects"
        path = (inside / key).resolve()
        if not path.is_relative_to(inside.resolve()):
            raise CannotStartError(f"The object {key!r} cannot be a file.")
        return path

    @property
    def listing(self) -> Path:
        """A line for each object."""
        return self.folder / "objects.ndjson"

    @property
    def contents(self) -> Path:
        """What says that this is a backup, and of what."""
        return self.folder / "backup.json"

    @property
    def seal(self) -> Path:
        """The hash of `contents`, as `sha256sum -c` reads it."""
        return self.folder / "backup.sha256"

    def objects(self) -> Iterator[ObjectCopy]:
        """The objects in it, in the order in which they were copied."""
        decoder = msgspec.json.Decoder(ObjectCopy)
        with self.listing.open("rb") as lines:
            yield from map(decoder.decode, lines)


def say_all(place: Place, backup: Backup) -> None:
    """Write what a backup says of itself, which makes the folder one. Raises CannotStartError."""
    with appearing(place.contents) as draft:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(backup)))
    with appearing(place.seal) as draft:
        draft.write_text(f"{hash_of(place.contents)}  {place.contents.name}\n")


def said(place: Place) -> Backup:
    """What a backup says of itself. Raises CannotStartError where it is none, or of another version."""
    try:
        written = place.seal.read_text()
        body = place.contents.read_bytes()
        if not written.startswith(sha256(body).hexdigest()):
            raise CannotStartError(f"The backup is damaged: {place.contents} is not what was written.")
        backup = msgspec.json.decode(body, type=Backup)
    except OSError as error:
        raise CannotStartError(f"{place.folder} is no whole backup ({error.filename}: {error.strerror}).") from error
    except msgspec.DecodeError as error:
        raise CannotStartError(f"{place.contents} cannot be read: {error}.") from error
    if backup.shape != SHAPE:
        raise CannotStartError(f"{place.folder} is a backup of another version ({backup.shape}, here it is {SHAPE}).")
    return backup


def refuse_damaged(place: Place, backup: Backup) -> None:
    """Read every file of a backup. Raises CannotStartError with the first that is not what was written."""
    files = {place.stream(name): copy.sha256 for name, copy in backup.streams.items()}
    files |= {place.database(service): copy.sha256 for service, copy in backup.databases.items()}
    files[place.listing] = backup.objects_sha256
    for path, expected in files.items():
        _refuse_other(path, expected)
    for copy in place.objects():
        _refuse_other(place.object(copy.key), copy.sha256)


def _refuse_other(path: Path, expected: str) -> None:
    if not path.is_file():
        raise CannotStartError(f"The backup is damaged: {path} is missing. Nothing was brought back.")
    if hash_of(path) != expected:
        raise CannotStartError(f"The backup is damaged: {path} is not what was written. Nothing was brought back.")


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def copy_database(source: Path, target: Path) -> DatabaseCopy:
    """Copy an SQLite database while others write to it: the copy is of one moment, checked and complete in itself."""
    with closing(_opened(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        copy.execute("pragma journal_mode = delete")
    return DatabaseCopy(sha256=hash_of(target), rows=rows_of(target), digest=digest_of(target))


def rows_of(path: Path) -> dict[str, int]:
    """The number of rows by table. Raises CannotStartError where SQLite finds the file broken."""
    query = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"
    with closing(_opened(path)) as database:
        (found,) = database.execute("pragma integrity_check(1)").fetchone()
        if found != "ok":
            raise CannotStartError(f"{path} is no sound database: {found}.")
        return {name: _count(database, name) for (name,) in database.execute(query).fetchall()}


def digest_of(path: Path) -> str:
    """A hash of a database's tables and rows, however they lie in the file."""
    seen = sha256()
    with closing(_opened(path)) as database:
        for line in database.iterdump():
            seen.update(line.encode())
    return seen.hexdigest()


def _count(database: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    (count,) = database.execute(f'select count(*) from "{quoted}"').fetchone()  # noqa: S608 - a table of the file
    return int(count)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
