# mypy: allow-untyped-calls
# (mutagen has no annotations)

import base64
import io
import shutil
from pathlib import Path

import mutagen
import numpy as np
import pytest
from mutagen.flac import Picture
from mutagen.id3 import ID3
from numpy.typing import NDArray
from PIL import Image

from tonetouch_deploy.demo import make_album
from tonetouch_deploy.demo.covers import cover_jpeg
from tonetouch_deploy.demo.encoding import ENCODINGS, encode
from tonetouch_deploy.demo.rendering import rendered
from tonetouch_deploy.demo.score import ALBUM, ALBUM_ARTIST, LULLABY, PIECES

SEED = 1  # of the album in conftest

Recordings = list[NDArray[np.float32]]


class InterruptedEarlyError(Exception):
    """Raised by a test when an album begins to be made."""


def test_has_eight_tracks_in_every_format(album: list[Path]) -> None:
    """Eight files, in the order of the album, and every format the platform reads among them."""
    assert [path.name[:3] for path in album] == [f"{number:02d} " for number in range(1, 9)]
    assert {path.suffix.removeprefix(".") for path in album} == set(ENCODINGS)
    assert all(path.is_file() for path in album)


def test_tracks_last_45_to_60_seconds(album: list[Path], recordings: Recordings) -> None:
    """Every file decodes to the end, and lasts as long as its header says."""
    for path, sound in zip(album, recordings, strict=True):
        seconds = sound.shape[1] / 44_100
        assert 45 <= seconds <= 60, path.name
        assert seconds == pytest.approx(mutagen.File(path).info.length, abs=0.1), path.name


def test_tracks_begin_at_once_and_end_quietly(album: list[Path], recordings: Recordings) -> None:
    """Music is heard within half a second, nothing clips, and the last moment is silent."""
    for path, sound in zip(album, recordings, strict=True):
        peak = np.abs(sound).max()
        assert 0.1 < peak < 1.0, path.name
        assert np.abs(sound[:, :22_050]).max() > 0.05 * peak, path.name
        assert np.abs(sound[:, -2_205:]).max() < 0.02 * peak, path.name


@pytest.mark.parametrize("number", range(8))
def test_tags_name_the_track(album: list[Path], number: int) -> None:
    """Title, artist, album, album artist, genre, year and track number are in the file; nothing marks it explicit."""
    piece, tags = PIECES[number], _tags_of(album[number])
    assert tags["title"] == piece.title
    assert tags["artist"] == piece.artist
    assert tags["album"] == ALBUM
    assert tags["album artist"] == ALBUM_ARTIST
    assert tags["genre"] == piece.genre
    assert tags["year"] == str(piece.year)
    assert tags["track"] == f"{number + 1}/8"
    assert not {"rtng", "ITUNESADVISORY", "TXXX:ITUNESADVISORY"} & set(mutagen.File(album[number]).keys())


@pytest.mark.parametrize("number", range(8))
def test_lyrics_are_synced(album: list[Path], number: int) -> None:
    """The lyrics are LRC text whose times rise and lie within the track."""
    lines = [line for line in _tags_of(album[number])["lyrics"].splitlines() if line[1].isdigit()]
    times = [60 * int(line[1:3]) + float(line[4:9]) for line in lines]
    assert tuple(line[10:] for line in lines) == PIECES[number].lyrics
    assert times == sorted(set(times))
    assert times[-1] < PIECES[number].seconds - 2


def test_lyrics_are_also_timed_frames_in_mp3(album: list[Path]) -> None:
    """Players that look for SYLT find the same lines, in milliseconds."""
    piece = PIECES[1]
    timed = ID3(album[1]).getall("SYLT")[0].text
    assert timed == [(line, round(second * 1000)) for second, line in piece.sung]


def test_lyrics_are_in_several_languages() -> None:
    """German, Danish and Norwegian stand beside English, with letters beyond ASCII."""
    assert {piece.language for piece in PIECES} == {"eng", "deu", "dan", "nor"}
    sung = " ".join(line for piece in PIECES for line in piece.lyrics)
    assert set("ØøæåÅäü") <= set(sung)


def test_covers_are_square_and_all_different(album: list[Path]) -> None:
    """Every track has a JPEG cover of its own."""
    covers = [_cover_of(path) for path in album]
    assert len(set(covers)) == 8
    for cover in covers:
        image = Image.open(io.BytesIO(cover))
        assert (image.format, image.size) == ("JPEG", (800, 800))
        assert np.asarray(image).std() > 20


def test_same_seed_gives_the_same_samples(recordings: Recordings) -> None:
    """Rendering a piece again gives, to the last bit of 16, what is in the album; another seed does not."""
    kept = recordings[PIECES.index(LULLABY)]
    assert np.abs(rendered(LULLABY, SEED) - kept).max() <= 1 / 32_768
    assert np.abs(rendered(LULLABY, SEED + 1) - kept).max() > 0.01


def test_same_seed_gives_the_same_cover(album: list[Path]) -> None:
    """A cover painted again is the same to the byte; another seed paints another."""
    kept = _cover_of(album[PIECES.index(LULLABY)])
    assert cover_jpeg(LULLABY.cover, SEED) == kept
    assert cover_jpeg(LULLABY.cover, SEED + 1) != kept


@pytest.mark.parametrize("suffix", ENCODINGS)
def test_encoding_leaves_no_trace_of_the_moment(tmp_path: Path, suffix: str) -> None:
    """The same samples give the same bytes, so that an album made again is known by its hashes."""
    sound = np.random.default_rng(3).normal(0, 0.1, (2, 60_000)).astype(np.float32)
    first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
    encode(sound, first)
    encode(sound, second)
    assert first.read_bytes() == second.read_bytes()


def test_an_album_that_is_there_is_left_alone(album: list[Path]) -> None:
    """Asking again returns the same files, untouched and without work."""
    before = [path.stat().st_mtime_ns for path in album]
    assert make_album(album[0].parent, seed=SEED, on_progress=_interrupt) == album
    assert [path.stat().st_mtime_ns for path in album] == before


@pytest.mark.parametrize("harm", ["one is missing", "one is cut off", "another seed", "note is garbled"])
def test_an_album_that_is_not_whole_is_made_anew(album: list[Path], tmp_path: Path, harm: str) -> None:
    """A missing or shortened file, another seed or an unreadable note starts the work again, from the first track."""
    folder = Path(shutil.copytree(album[0].parent, tmp_path / "copy"))
    if harm == "one is missing":
        (folder / album[3].name).unlink()
    elif harm == "one is cut off":
        (folder / album[3].name).write_bytes(album[3].read_bytes()[:5_000])
    elif harm == "note is garbled":
        (folder / ".demo-album.json").write_text("{", "utf-8")
    with pytest.raises(InterruptedEarlyError):
        make_album(folder, seed=2 if harm == "another seed" else SEED, on_progress=_interrupt)
    assert not list(folder.glob(".making-*"))


def _interrupt(done: int, total: int, title: str) -> None:
    assert (done, total, title) == (0, 8, PIECES[0].title)
    raise InterruptedEarlyError


def _tags_of(path: Path) -> dict[str, str]:
    tags = mutagen.File(path)
    names = ("title", "artist", "album", "album artist", "genre", "year")
    if path.suffix == ".m4a":
        keys = ("\xa9nam", "\xa9ART", "\xa9alb", "aART", "\xa9gen", "\xa9day")
        extra = {"track": "{}/{}".format(*tags["trkn"][0]), "lyrics": tags["\xa9lyr"][0]}
        return {name: str(tags[key][0]) for name, key in zip(names, keys, strict=True)} | extra
    if path.suffix in {".mp3", ".wav", ".aiff"}:
        keys = ("TIT2", "TPE1", "TALB", "TPE2", "TCON", "TDRC")
        extra = {"track": str(tags["TRCK"]), "lyrics": tags.tags.getall("USLT")[0].text}
        return {name: str(tags[key]) for name, key in zip(names, keys, strict=True)} | extra
    keys = ("title", "artist", "album", "albumartist", "genre", "date")
    extra = {"track": f"{tags['tracknumber'][0]}/{tags['tracktotal'][0]}", "lyrics": tags["lyrics"][0]}
    return {name: tags[key][0] for name, key in zip(names, keys, strict=True)} | extra


def _cover_of(path: Path) -> bytes:
    tags = mutagen.File(path)
    if path.suffix == ".m4a":
        return bytes(tags["covr"][0])
    if path.suffix in {".mp3", ".wav", ".aiff"}:
        return bytes(tags.tags.getall("APIC")[0].data)
    if path.suffix == ".flac":
        return bytes(tags.pictures[0].data)
    return bytes(Picture(base64.b64decode(tags["metadata_block_picture"][0])).data)
