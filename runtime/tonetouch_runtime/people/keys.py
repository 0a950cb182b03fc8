"""One key for each person, in a folder of its own: 256 bits for AES in Galois/Counter Mode (NIST SP 800-38D).

A file ``<name>`` holds the key, mode 0600; ``erased/<name>`` says that there was one and is to be none again. The name
is a hash of the person's id. The files are read each time: another process may have destroyed one a moment ago.
"""

import base64
import contextlib
import os
import re
import secrets
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tonetouch_runtime.errors import Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ERASED: Final = "[erased]"
"""What is read in the place of words whose key is gone."""

KEY_BYTES = 32
NONCE_BYTES = 12
_NAME_DIGITS = 32
_NAME = re.compile(rf"[0-9a-f]{{{_NAME_DIGITS}}}")
_SEALED = re.compile(rf"sealed\.v1\.([0-9a-f]{{{_NAME_DIGITS}}})\.([A-Za-z0-9_-]+)")


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """That a person was erased, by whom and why; who it was is not in it."""

    at: str
    operator: str
    reason: str


class TakenOver(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder of keys holds now: keys, how many of them are new, people erased, and keys that were others."""

    keys: int
    new: int
    erased: int
    different: int


@lru_cache(maxsize=4096)
def name_of(person: str) -> str:
    """The name under which a person's key is kept."""
    return sha256(f"person:{person}".encode()).hexdigest()[:_NAME_DIGITS]


class Keys:
    """The keys of an installation's people. All its services see the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tombs = folder / "erased"
        self._tombs_at = f"{self._tombs}{os.sep}"

    def seal(self, person: str, words: str) -> str:
        """The words under the person's key, which is made for their first; of who was erased nothing is kept.

        What is sealed already stays as it is. Raises Unavailable where a key cannot be kept.
        """
        name = name_of(person)
        if (sealed := _SEALED.fullmatch(words)) and sealed[1] == name:
            return words
        key = self._key(name) or self._made(name)
        if key is None:
            return ERASED
        nonce = os.urandom(NONCE_BYTES)
        closed = nonce + _cipher(key).encrypt(nonce, words.encode(), name.encode())
        return f"sealed.v1.{name}.{base64.urlsafe_b64encode(closed).rstrip(b'=').decode()}"

    def open(self, text: str) -> str:
        """The words that were sealed; `ERASED` where their key is gone. What is not sealed is read as it is."""
        sealed = _SEALED.fullmatch(text)
        if sealed is None:
            return text
        name, closed = sealed[1], base64.urlsafe_b64decode(sealed[2] + "=" * (-len(sealed[2]) % 4))
        key = self._key(name)
        opened = None if key is None else _opened(key, closed, name)
        return ERASED if opened is None else opened

    def is_erased(self, person: str) -> bool:
        """Whether the person was erased. It is asked for every event about what somebody did: two microseconds."""
        return os.path.exists(f"{self._tombs_at}{name_of(person)}")  # noqa: PTH110 - a third of the time

    def erase(self, person: str, erasure: Erasure) -> bool:
        """Destroy the person's key and see that there will be none again; False where that was done before.

        The bytes are overwritten first, which a disk that moves blocks by itself may not do in their old place.
        """
        name = name_of(person)
        is_new = not (self._tombs / name).exists()
        if is_new:
            self._tombs.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._tombs, name, msgspec.json.encode(erasure))
        # Also a second time: somebody may have made one just before.
        with contextlib.suppress(FileNotFoundError):
            destroy(self.folder / name)
        return is_new

    def take_over(self, source: "Keys") -> "TakenOver":
        """Have all that another folder has, a backup or the one it is of: who was erased in either is so in both.

        A key that is another one here stays: the words under the other cannot be read.
        """
        tombs, kept = _names(source._tombs), _names(source.folder)
        for name in sorted(tombs):
            self._tombs.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._tombs, name, (source._tombs / name).read_bytes())
            with contextlib.suppress(FileNotFoundError):
                destroy(self.folder / name)
        here, gone = _names(self.folder), _names(self._tombs)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        missing = sorted(kept - here - gone)
        for name in missing:
            _write(self.folder, name, (source.folder / name).read_bytes())
        different = [name for name in kept & here if (source.folder / name).read_bytes() != self._key(name)]
        return TakenOver(keys=len(_names(self.folder)), new=len(missing), erased=len(gone), different=len(different))

    def _key(self, name: str) -> bytes | None:
        try:
            key = (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"the keys of people in {self.folder} cannot be read ({error.strerror})") from error
        return None if (self._tombs / name).exists() else key

    def _made(self, name: str) -> bytes | None:
        try:
            if (self._tombs / name).exists():
                return None
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self.folder, name, secrets.token_bytes(KEY_BYTES))
        except OSError as error:
            raise Unavailable(f"the key of a person cannot be kept in {self.folder} ({error.strerror})") from error
        if (self._tombs / name).exists():
            destroy(self.folder / name)
        return self._key(name)


def destroy(path: Path) -> None:
    """Overwrite a file, and let it go. Raises FileNotFoundError."""
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink(missing_ok=True)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if _NAME.fullmatch(path.name)} if folder.is_dir() else set()


def _write(folder: Path, name: str, body: bytes) -> None:
    """A file that is there whole or not at all, and on the disk; the one that is there already stays."""
    draft = folder / f".{name}.{secrets.token_hex(8)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            (folder / name).hardlink_to(draft)
    finally:
        draft.unlink()
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _opened(key: bytes, closed: bytes, name: str) -> str | None:
    # Loading it takes a moment, which only those wait for who have sealed words before them.
    from cryptography.exceptions import InvalidTag

    try:
        return _cipher(key).decrypt(closed[:NONCE_BYTES], closed[NONCE_BYTES:], name.encode()).decode()
    except (InvalidTag, ValueError):
        # Sealed under a key that was lost, and another has been made since.
        return None


def _cipher(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
