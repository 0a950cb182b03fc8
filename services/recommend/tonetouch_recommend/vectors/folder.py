"""The folder of an engine that keeps collections on disk: who holds it, and which copy of a collection is the live one.

<root>/lock                              held while a process has the folder open
<root>/<collection>/collection.json      what is kept, and the name of the live copy; replaced atomically
<root>/<collection>/copy-<hex>/          a copy; any but the live one is a leftover and is swept at opening
"""

import fcntl
import os
import shutil
import uuid
from pathlib import Path

import msgspec

from .collection import Collection, HeldElsewhereError, OtherModelError

SCHEMA_VERSION = 2


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The content of collection.json."""

    schema_version: int
    collection: Collection
    live: str


class FolderLock:
    """Holds a folder for this process. The operating system lets go when the process ends, however it ends.

    Raises `HeldElsewhereError`, naming the process that holds it.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 32).decode() or "unknown"
            os.close(self._descriptor)
            raise HeldElsewhereError(
                f"The vectors in {root} are open in process {holder}. One process at a time may open them: "
                "stop that one, or give this one a folder of its own."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Let go; afterwards the lock is of no use."""
        os.close(self._descriptor)


class CollectionFolder:
    """Where one collection lives."""

    def __init__(self, root: Path, name: str) -> None:
        self._path = root / name
        self._meta = self._path / "collection.json"

    def stored(self) -> Stored | None:
        """What is kept here, or None. Raises `OtherModelError` for a layout of another version."""
        if not self._meta.exists():
            return None
        stored = msgspec.json.decode(self._meta.read_bytes(), type=Stored)
        if stored.schema_version != SCHEMA_VERSION:
            raise OtherModelError(
                f"{self._path} is in layout {stored.schema_version}, not {SCHEMA_VERSION}: drop and rebuild it"
            )
        return stored

    def live(self, stored: Stored) -> Path:
        """The live copy."""
        return self._path / stored.live

    def new_copy(self) -> Path:
        """A name for a copy that does not exist yet."""
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path / f"copy-{uuid.uuid4().hex[:12]}"

    def copy_live(self, stored: Stored, copy: Path) -> None:
        """Copy the live copy, to which nobody may be writing."""
        shutil.copytree(self.live(stored), copy)

    def make_durable(self, copy: Path) -> None:
        """Return when every file of the copy is on disk."""
        for path in [copy, *copy.rglob("*")]:
            _sync(path)

    def make_live(self, copy: Path, collection: Collection) -> Stored:
        """From now on, also after a crash, this copy is the collection."""
        self.make_durable(copy)
        stored = Stored(schema_version=SCHEMA_VERSION, collection=collection, live=copy.name)
        written = self._meta.with_suffix(".new")
        written.write_bytes(msgspec.json.encode(stored))
        _sync(written)
        written.replace(self._meta)
        _sync(self._path)
        return stored

    def sweep(self, stored: Stored | None) -> None:
        """Remove every copy but the live one."""
        for path in self._path.glob("copy-*"):
            if stored is None or path.name != stored.live:
                shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        """Remove the collection, its description first, so that half a removal is a collection that is not there."""
        self._meta.unlink(missing_ok=True)
        shutil.rmtree(self._path, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
