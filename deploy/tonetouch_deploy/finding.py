"""Finds audio files in files and folders, and the lyrics and covers that lie beside them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tonetouch_deploy.settings import CannotStartError

AUDIO_SUFFIXES = frozenset({".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav", ".aiff", ".aif"})
_COVER_NAMES = ("cover.jpg", "cover.png")
_SIDECAR_SUFFIXES = frozenset({".lrc"})


@dataclass(frozen=True)
class Found:
    """Audio files in the order in which they will be sent, and how many other files were passed over."""

    files: tuple[Path, ...]
    skipped: int


@dataclass(frozen=True)
class Sidecars:
    """What lies beside an audio file: `<name>.lrc`, and `cover.jpg` or `cover.png`."""

    lyrics: Path | None
    cover: Path | None


def find_audio(paths: Iterable[Path]) -> Found:
    """Audio files among `paths` and below the folders among them, each once, a folder's in the order of their names.

    Known by their suffix only. Hidden files are neither taken nor counted (a Mac leaves a `._song.mp3` beside each
    song on foreign disks). Raises CannotStartError for a path that does not exist.
    """
    found: dict[Path, Path] = {}
    skipped = 0
    for path in paths:
        if not path.exists():
            raise CannotStartError(f"There is no file or folder {path}.")
        for file in _below(path) if path.is_dir() else [path]:
            if file.suffix.lower() in AUDIO_SUFFIXES:
                found.setdefault(file.resolve(), file)
            elif file.name.lower() not in _COVER_NAMES and file.suffix.lower() not in _SIDECAR_SUFFIXES:
                skipped += 1
    return Found(files=tuple(found.values()), skipped=skipped)


def sidecars_of(file: Path) -> Sidecars:
    """The sidecars of an audio file that exist now."""
    lyrics = file.with_suffix(".lrc")
    covers = (file.with_name(name) for name in _COVER_NAMES)
    return Sidecars(
        lyrics=lyrics if lyrics.is_file() else None, cover=next((cover for cover in covers if cover.is_file()), None)
    )


def _below(folder: Path) -> Iterable[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place) / name
