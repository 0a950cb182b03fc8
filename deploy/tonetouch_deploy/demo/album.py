"""The demo album as files: what a person finds in an empty catalogue, made on the spot."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tonetouch_deploy.demo.covers import cover_jpeg
from tonetouch_deploy.demo.encoding import encode
from tonetouch_deploy.demo.notation import Piece
from tonetouch_deploy.demo.painting import SIZE
from tonetouch_deploy.demo.rendering import rendered
from tonetouch_deploy.demo.score import ALBUM, ALBUM_ARTIST, PIECES
from tonetouch_deploy.demo.tagging import Tags, tag

# Raised whenever the same seed would give other files than before, so that old ones are made anew.
VERSION = 1
_NOTE = ".demo-album.json"

Progress = Callable[[int, int, str], None]


def make_album(folder: Path, *, seed: int = 1, on_progress: Progress | None = None) -> list[Path]:
    """Eight tagged tracks of 45 to 60 seconds in `folder`, in the order of the album.

    Everything is generated and follows from the seed. If the folder already has the album of this seed and version,
    its files are returned untouched, and `on_progress` is not called. Otherwise `on_progress(done, total, title)` is
    called as each track is begun, and at the end with the album's name. A file appears under its name only when it is
    complete. Needs about 15 seconds on one core and 300 MB of memory.
    """
    report = on_progress or (lambda done, total, title: None)
    paths = [folder / _file_name(number, piece) for number, piece in enumerate(PIECES, start=1)]
    if _is_made(folder, paths, seed):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _NOTE).unlink(missing_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".making-") as unfinished:
        for number, (piece, path) in enumerate(zip(PIECES, paths, strict=True), start=1):
            report(number - 1, len(PIECES), piece.title)
            fresh = Path(unfinished) / path.name
            encode(rendered(piece, seed), fresh)
            tag(fresh, _tags(piece, number, seed))
            fresh.replace(path)
    (folder / _NOTE).write_text(json.dumps(_account(paths, seed), indent=2, ensure_ascii=False), "utf-8")
    report(len(PIECES), len(PIECES), ALBUM)
    return paths


def _file_name(number: int, piece: Piece) -> str:
    return f"{number:02d} {piece.title}.{piece.format}"


def _is_made(folder: Path, paths: list[Path], seed: int) -> bool:
    note = folder / _NOTE
    if not note.is_file() or not all(path.is_file() for path in paths):
        return False
    try:
        return bool(json.loads(note.read_text("utf-8")) == _account(paths, seed))
    except ValueError:
        return False


def _account(paths: list[Path], seed: int) -> dict[str, object]:
    """What the folder holds; sizes tell a file that somebody cut off or replaced."""
    return {"version": VERSION, "seed": seed, "bytes": {path.name: path.stat().st_size for path in paths}}


def _tags(piece: Piece, number: int, seed: int) -> Tags:
    return Tags(
        title=piece.title,
        artist=piece.artist,
        album=ALBUM,
        album_artist=ALBUM_ARTIST,
        genre=piece.genre,
        year=piece.year,
        track=number,
        tracks=len(PIECES),
        language=piece.language,
        sung=piece.sung,
        cover_jpeg=cover_jpeg(piece.cover, seed),
        cover_side=SIZE,
    )
