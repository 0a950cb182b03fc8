"""Tags: the same facts out of every kind of file, and bounded patience with broken ones."""

import base64
import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen.aiff
import mutagen.flac
import mutagen.id3
import mutagen.mp4
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wave
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.sounds import encode
from tonetouch_ingest.listening.boxes import MAXIMUM_READ_BYTES
from tonetouch_ingest.listening.lyrics import parse_lyrics
from tonetouch_ingest.listening.tagging import EmbeddedCover, Tags, clean_text, read_tags, title_from_filename

# mutagen annotates only a part of its functions.
id3: Any = mutagen.id3
flac: Any = mutagen.flac
mp4: Any = mutagen.mp4

SUFFIXES = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav", ".aiff")
LYRICS = "First line\nzweite Zeile\n\n第三行"


@pytest.fixture(name="sounds", scope="module")
def _sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A short untagged file of each kind: suffix -> bytes."""
    folder = tmp_path_factory.mktemp("sounds")
    tone = np.sin(np.arange(22050, dtype=np.float32)[:, None] * 0.06).repeat(2, axis=1) * np.float32(0.3)
    return {suffix: encode(tone, folder / f"tone{suffix}").read_bytes() for suffix in SUFFIXES}


@pytest.fixture(name="untagged")
def _untagged(sounds: dict[str, bytes], tmp_path: Path) -> Callable[[str], Path]:
    """Gives a fresh copy of the file of a kind."""

    def copy(suffix: str) -> Path:
        path = tmp_path / f"file{suffix}"
        path.write_bytes(sounds[suffix])
        return path

    return copy


def picture(kind: str = "PNG", color: str = "red") -> bytes:
    image = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(image, kind)
    return image.getvalue()


FRONT, BACK = picture("PNG", "red"), picture("JPEG", "blue")


def id3_frames() -> list[Any]:
    return [
        id3.TIT2(text="Größe"),
        id3.TPE1(text=["Anna", "Bo"]),
        id3.TALB(text="Album"),
        id3.TPE2(text="Various"),
        id3.TCON(text=["(17)", "Trip-Hop;Ambient"]),
        id3.TDRC(text="1998-03-01"),
        id3.TRCK(text="3/12"),
        id3.TPOS(text="1/2"),
        id3.TLAN(text="deu"),
        id3.TXXX(desc="ITUNESADVISORY", text="1"),
        id3.USLT(lang="deu", desc="", text=LYRICS),
        id3.APIC(mime="image/jpeg", type=4, desc="back", data=BACK),
        id3.APIC(mime="image/png", type=3, desc="front", data=FRONT),
    ]


def comments() -> dict[str, list[str]]:
    return {
        "TITLE": ["Größe"],
        "ARTIST": ["Anna", "Bo"],
        "ALBUM": ["Album"],
        "ALBUMARTIST": ["Various"],
        "GENRE": ["Rock", "Trip-Hop;Ambient"],
        "DATE": ["1998-03-01"],
        "TRACKNUMBER": ["3/12"],
        "DISCNUMBER": ["1"],
        "LANGUAGE": ["deu"],
        "ITUNESADVISORY": ["1"],
        "LYRICS": [LYRICS],
    }


def flac_picture(data: bytes, kind: int) -> Any:
    made = flac.Picture()
    made.data, made.type, made.mime = data, kind, "image/png"
    return made


def tag(path: Path) -> None:
    """Writes the same facts into a file, in the way of its kind."""
    file: Any
    match path.suffix:
        case ".mp3":
            tags = id3.ID3()
            for frame in id3_frames():
                tags.add(frame)
            tags.save(path)
        case ".wav" | ".aiff":
            file = (mutagen.wave.WAVE if path.suffix == ".wav" else mutagen.aiff.AIFF)(path)
            file.add_tags()
            for frame in id3_frames():
                file.tags.add(frame)
            file.save()
        case ".flac":
            file = flac.FLAC(path)
            file.update(comments())
            file.add_picture(flac_picture(BACK, 4))
            file.add_picture(flac_picture(FRONT, 3))
            file.save()
        case ".ogg" | ".opus":
            file = (mutagen.oggvorbis.OggVorbis if path.suffix == ".ogg" else mutagen.oggopus.OggOpus)(path)
            pictures = [flac_picture(BACK, 4), flac_picture(FRONT, 3)]
            encoded = [base64.b64encode(one.write()).decode() for one in pictures]
            file.update({**comments(), "METADATA_BLOCK_PICTURE": encoded})
            file.save()
        case ".m4a":
            file = mp4.MP4(path)
            file.update(
                {
                    "\xa9nam": ["Größe"],
                    "\xa9ART": ["Anna, Bo"],
                    "\xa9alb": ["Album"],
                    "aART": ["Various"],
                    "\xa9gen": ["Rock", "Trip-Hop;Ambient"],
                    "\xa9day": ["1998-03-01"],
                    "trkn": [(3, 12)],
                    "disk": [(1, 2)],
                    "rtng": [1],
                    "\xa9lyr": [LYRICS],
                    "covr": [mp4.MP4Cover(FRONT, mp4.MP4Cover.FORMAT_PNG), mp4.MP4Cover(BACK)],
                }
            )
            file.save()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_file_tells_the_same(untagged: Callable[[str], Path], suffix: str) -> None:
    """Text in any script, several artists and genres, numbers, advisory, lyrics and the front cover."""
    path = untagged(suffix)
    tag(path)
    assert read_tags(path) == Tags(
        title="Größe",
        artist="Anna, Bo",
        album="Album",
        album_artist="Various",
        genres=("Rock", "Trip-Hop", "Ambient"),
        year=1998,
        track_number=3,
        disc_number=1,
        explicit=True,
        language=None if suffix == ".m4a" else "deu",  # MP4 has no place for it
        lyrics=LYRICS,
        cover=EmbeddedCover("image/png", FRONT),
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_without_tags_says_nothing(untagged: Callable[[str], Path], suffix: str) -> None:
    """Nothing is not a problem."""
    assert read_tags(untagged(suffix)) == Tags()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_name_of_the_file_does_not_matter(untagged: Callable[[str], Path], tmp_path: Path, suffix: str) -> None:
    """A FLAC named .mp3 is read as a FLAC."""
    path = untagged(suffix)
    tag(path)
    renamed = path.rename(tmp_path / "song.xyz")
    assert read_tags(renamed).title == "Größe"


@pytest.mark.parametrize("version", [3, 4])
def test_both_versions_of_id3_are_read(untagged: Callable[[str], Path], version: int) -> None:
    """2.3 has no TDRC and plain sizes, 2.4 has sizes of seven bits."""
    path = untagged(".mp3")
    tags = id3.ID3()
    for frame in id3_frames():
        tags.add(frame)
    if version == 3:
        tags.update_to_v23()
    tags.save(path, v2_version=version)
    found = read_tags(path)
    assert (found.title, found.year, found.cover) == ("Größe", 1998, EmbeddedCover("image/png", FRONT))


def test_version_one_alone_and_as_a_supplement(untagged: Callable[[str], Path]) -> None:
    """The 128 bytes at the end count where nothing newer speaks."""
    path = untagged(".mp3")
    old = b"TAG" + b"Old title".ljust(30) + b"Old artist".ljust(30) + b"Old album".ljust(30) + b"1987"
    path.write_bytes(path.read_bytes() + old + b"\0" * 29 + b"\x07" + b"\x08")
    found = read_tags(path)
    assert (found.title, found.artist, found.year) == ("Old title", "Old artist", 1987)
    assert (found.track_number, found.genres) == (7, ("Jazz",))
    path.write_bytes(raw_id3(raw_frame(b"TIT2", b"\x03New title")) + path.read_bytes())
    assert (read_tags(path).title, read_tags(path).artist) == ("New title", "Old artist")


def raw_id3(*frames: bytes, version: int = 4, flags: int = 0) -> bytes:
    body = b"".join(frames)
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, flags]) + size + body


def raw_frame(name: bytes, data: bytes, flags: int = 0) -> bytes:
    return name + len(data).to_bytes(4, "big") + struct.pack(">H", flags) + data


def read_bytes(tmp_path: Path, data: bytes) -> Tags:
    path = tmp_path / "raw"
    path.write_bytes(data)
    return read_tags(path)


def test_sizes_as_old_itunes_wrote_them(tmp_path: Path) -> None:
    """A 2.4 tag whose frame of 200 bytes has a plain size is read whole, and so is the frame after it."""
    data = raw_id3(raw_frame(b"TIT2", b"\x03" + b"x" * 200), raw_frame(b"TPE1", b"\x03Anna"))
    found = read_bytes(tmp_path, data)
    assert (found.title, found.artist) == ("x" * 200, "Anna")


def test_version_two_point_two(tmp_path: Path) -> None:
    """Names of three letters from the nineties."""
    frames = [b"TT2\0\0\x06\0Title", b"TP1\0\0\x05\0Anna", b"TYE\0\0\x05\x001999"]
    found = read_bytes(tmp_path, raw_id3(*frames, version=2))
    assert (found.title, found.artist, found.year) == ("Title", "Anna", 1999)


def test_an_unsynchronised_tag(tmp_path: Path) -> None:
    """In 2.3 the whole tag has a zero behind each 0xFF, which is taken out again."""
    title = raw_frame(b"TIT2", b"\x01" + "Ω".encode("utf-16"))
    found = read_bytes(tmp_path, raw_id3(title.replace(b"\xff", b"\xff\0"), version=3, flags=0x80))
    assert found.title == "Ω"


def test_synchronised_lyrics_become_lrc(untagged: Callable[[str], Path]) -> None:
    """SYLT wins over USLT; syllables are joined to lines where the frame marks its lines."""
    path = untagged(".mp3")
    tags = id3.ID3()
    tags.add(id3.USLT(lang="eng", text="plain"))
    timed = [("\nHel", 1000), ("lo", 1200), (" you", 1400), ("\nagain", 2500)]
    tags.add(id3.SYLT(encoding=3, lang="eng", format=2, type=1, text=timed))
    tags.save(path)
    found = read_tags(path)
    assert found.lyrics == "[00:01.00]Hello you\n[00:02.50]again"
    assert found.language == "eng"
    assert parse_lyrics(found.lyrics).synced


def test_lyrics_counted_in_frames_fall_back_to_plain_ones(untagged: Callable[[str], Path]) -> None:
    """MPEG frames are no time that can be told from the tag alone."""
    path = untagged(".mp3")
    tags = id3.ID3()
    tags.add(id3.USLT(lang="XXX", text="plain"))
    tags.add(id3.SYLT(encoding=3, lang="XXX", format=1, type=1, text=[("timed", 10)]))
    tags.save(path)
    assert (read_tags(path).lyrics, read_tags(path).language) == ("plain", None)


@pytest.mark.parametrize(("rating", "explicit"), [(0, None), (1, True), (2, False), (4, True), (9, None)])
def test_the_advisory_of_itunes(untagged: Callable[[str], Path], rating: int, explicit: bool | None) -> None:
    """1 and 4 mean explicit, 2 means the clean edit, all else says nothing."""
    path = untagged(".m4a")
    file = mp4.MP4(path)
    file["rtng"] = [rating]
    file.save()
    assert read_tags(path).explicit is explicit


def test_riff_info(untagged: Callable[[str], Path]) -> None:
    """WAV files have a tag form of their own, in UTF-8 or an old code page."""
    path = untagged(".wav")
    fields = {
        b"INAM": "Größe".encode("cp1252"),
        b"IART": "Zoë".encode(),
        b"ICRD": b"2001",
        b"ITRK": b"4",
        b"IGNR": b"Rock",
    }
    body = b"INFO" + b"".join(
        name + struct.pack("<I", len(text) + 1) + text + b"\0" + b"\0" * ((len(text) + 1) % 2)
        for name, text in fields.items()
    )
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", len(body)) + body)
    found = read_tags(path)
    assert (found.title, found.artist, found.year, found.track_number) == ("Größe", "Zoë", 2001, 4)


def test_a_flac_behind_an_id3_tag(untagged: Callable[[str], Path]) -> None:
    """Some programs put an ID3 tag before a FLAC; its own comments count."""
    path = untagged(".flac")
    tag(path)
    path.write_bytes(raw_id3(raw_frame(b"TIT2", b"\x03Wrong")) + path.read_bytes())
    assert read_tags(path).title == "Größe"


def test_control_and_bidi_characters_do_not_come_through(untagged: Callable[[str], Path]) -> None:
    """What would reorder a list on a screen is taken out; spaces are tidied; composed and decomposed are one."""
    path = untagged(".mp3")
    tags = id3.ID3()
    tags.add(id3.TIT2(text="A\u202eb\u200b\x1b[31m \t  u\u0308"))
    tags.add(id3.TRCK(text="\u202e5"))
    tags.save(path)
    assert (read_tags(path).title, read_tags(path).track_number) == ("Ab[31m ü", 5)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_tag_of_a_megabyte_is_cut(untagged: Callable[[str], Path], suffix: str) -> None:
    """Long values (a megabyte in UTF-16) are cut to what can be shown; nothing is refused."""
    path, long = untagged(suffix), "long " * 105_000
    tag(path)
    file: Any
    match suffix:
        case ".m4a":
            file = mp4.MP4(path)
            file["\xa9nam"] = [long]
        case ".flac" | ".ogg" | ".opus":
            file = mutagen.File(path)
            file["TITLE"] = [long]
        case _:
            file = mutagen.File(path)
            file.tags.add(id3.TIT2(encoding=1, text=long))
    file.save()
    found = read_tags(path)
    assert found.title == ("long " * 60).strip()
    assert found.problems == ()


def test_a_huge_picture_is_left_out_with_a_note(untagged: Callable[[str], Path]) -> None:
    """The other tags still count."""
    path = untagged(".mp3")
    tags = id3.ID3()
    tags.add(id3.TIT2(text="Title"))
    tags.add(id3.APIC(mime="image/png", type=3, data=FRONT + b"\0" * (11 * 1024 * 1024)))
    tags.save(path)
    found = read_tags(path)
    assert (found.title, found.cover) == ("Title", None)
    assert len(found.problems) == 1
    assert found.problems[0].startswith("the frame APIC of 115")


def test_what_is_no_picture_is_no_cover(untagged: Callable[[str], Path]) -> None:
    """The bytes decide, not the type the tag claims; a link is not followed."""
    path = untagged(".mp3")
    tags = id3.ID3()
    tags.add(id3.APIC(mime="image/png", type=3, desc="a", data=b"<html>"))
    tags.add(id3.APIC(mime="-->", type=3, desc="b", data=b"http://localhost/x.png"))
    tags.add(id3.APIC(mime="image/png", type=0, desc="c", data=BACK))
    tags.save(path)
    assert read_tags(path).cover == EmbeddedCover("image/jpeg", BACK)


def test_compressed_frames_are_not_inflated(tmp_path: Path) -> None:
    """A frame that would become 64 megabytes is passed over, and the title after it is read."""
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    frames = raw_frame(b"TALB", struct.pack(">I", 64 << 20) + bomb, flags=0x0080), raw_frame(b"TIT2", b"\x03Title")
    found = read_bytes(tmp_path, raw_id3(*frames, version=3))
    assert (found.title, found.album) == ("Title", None)
    assert found.problems == ("the compressed or encrypted frame TALB is not read",)


def test_a_million_tiny_frames_are_not_worth_the_time(tmp_path: Path) -> None:
    """A parser that copies the rest after each frame would need minutes for this tag."""
    frames = raw_frame(b"TIT2", b"\x03Title") + raw_frame(b"TPE1", b"\x00") * 1_000_000
    found = read_bytes(tmp_path, raw_id3(frames, version=3))
    assert found.title == "Title"
    assert found.problems == ("the tag has more content than belongs to a track; the rest is left out",)


def test_megabytes_of_text_are_not_worth_the_time(tmp_path: Path) -> None:
    """Twenty megabytes of UTF-16 lyrics, times and picture descriptions would keep a parser busy for a minute."""
    text = ("long " * 100_000).encode("utf-16")
    lyrics = [raw_frame(b"USLT", b"\x01" + f"a{chr(97 + at)}a".encode() + b"\xff\xfe\0\0" + text) for at in range(20)]
    timed = raw_frame(b"SYLT", b"\x03eng\x02\x01\0" + b"a\0\0\0\0\1" * 150_000)
    endless = raw_frame(b"APIC", b"\x01image/png\0\x03" + text * 8)
    found = read_bytes(tmp_path, raw_id3(raw_frame(b"TIT2", b"\x03Title"), timed, endless, *lyrics, version=3))
    assert found.title == "Title"
    assert found.problems == (
        "the frame SYLT of 900007 bytes is left out",
        "an embedded picture is broken",
        "the tag has more content than belongs to a track; the rest is left out",
    )


def test_an_atom_without_length_inside_a_cover_ends(untagged: Callable[[str], Path]) -> None:
    """An atom of length zero reaches to the end of its parent and does not go round in circles."""
    path = untagged(".m4a")
    tag(path)
    data = path.read_bytes()
    start = data.index(b"covr") + 4
    path.write_bytes(data[:start] + b"\0\0\0\0name" + data[start + 8 :])
    assert read_tags(path).title == "Größe"


def test_a_tag_that_claims_the_whole_file_is_not_read_into_memory(tmp_path: Path) -> None:
    """Two hundred megabytes, claimed by a tag: memory stays far below."""
    path = tmp_path / "large.mp3"
    with path.open("wb") as file:
        file.write(b"ID3\x04\0\0" + b"\x5f\x7f\x7f\x7f" + raw_frame(b"TIT2", b"\x03Title"))
        file.write(b"APIC" + b"\x5f\x7f\x7f\x00" + b"\0\0")
        file.truncate(200_000_000)
    tracemalloc.start()
    found = read_tags(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.title == "Title"
    assert peak < 4_000_000


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".opus"])
def test_comments_larger_than_any_track_are_refused_with_a_note(untagged: Callable[[str], Path], suffix: str) -> None:
    """The bound on reading holds inside other people's parsers too."""
    path = untagged(suffix)
    data = path.read_bytes()
    if suffix == ".flac":
        block = b"\x01" + (0xFFFFFF).to_bytes(3, "big") + bytes(0xFFFFFF)
        made = data[:42].replace(b"fLaC\x80", b"fLaC\x00") + block * 5
    else:
        page = bytearray(data[data.index(b"OggS", 4) :][:27])
        page[5], page[26] = 1, 255  # continued, and full: the comments go on for ever
        made = data[: data.index(b"OggS", 4)] + (bytes(page) + b"\xff" * 255 + bytes(255 * 255)) * 900
    path.write_bytes(made)
    assert len(made) > MAXIMUM_READ_BYTES
    found = read_tags(path)
    assert found.title is None
    assert len(found.problems) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_broken_files_never_raise(untagged: Callable[[str], Path], suffix: str, data: st.DataObject) -> None:
    """Cut anywhere, with any bytes overwritten: there is an answer, and its texts can be shown."""
    path = untagged(suffix)
    tag(path)
    broken = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 12))):
        broken[data.draw(st.integers(0, min(len(broken) - 1, 3000)))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(broken[: data.draw(st.integers(0, len(broken)))]))
    found = read_tags(path)
    for text in (found.title, found.artist, found.album, *found.genres, *found.problems):
        assert text is None or text == clean_text(text, limit=300)


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"ID3\x03\0\0\0\0\x02\0", b"fLaC", b"OggS", b"\0\0\0\x18ftypM4A "])
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_arbitrary_bytes_never_raise(tmp_path: Path, data: bytes, head: bytes) -> None:
    """What is no sound at all has no tags either."""
    assert read_bytes(tmp_path, head + data).cover is None


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A file that is not there is not a broken tag."""
    with pytest.raises(FileNotFoundError):
        read_tags(tmp_path / "nothing.mp3")


@given(st.text(), st.integers(1, 60))
def test_clean_text_is_one_clean_short_line(text: str, limit: int) -> None:
    """At most the limit, printable but for combining marks, no double spaces, and the same when cleaned again."""
    clean = clean_text(text, limit=limit)
    assert len(clean) <= limit
    assert clean == " ".join(clean.split())
    assert clean == clean_text(clean, limit=limit)
    clean.encode()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  two \n words ", "two words"),
        ("e\u0301", "é"),
        ("\u202egpj.exe\u202c", "gpj.exe"),
        ("zero\u200bwidth\ufeff\u2060", "zerowidth"),
        ("bell\x07 and null\0", "bell and null"),
        ("lone \ud800 half", "lone half"),
        ("no\u00a0break", "no break"),
        ("日本語 العربية 🎵", "日本語 العربية 🎵"),
    ],
)
def test_clean_text_keeps_words_and_drops_tricks(text: str, clean: str) -> None:
    """Scripts and signs stay, what only steers a terminal or a layout goes."""
    assert clean_text(text, limit=100) == clean


def test_clean_text_of_megabytes_is_quick() -> None:
    """Only the beginning is looked at."""
    assert clean_text("a" * 50_000_000, limit=10) == "a" * 10


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Song.mp3", "Song"),
        ("/music/Album/01 - Song.flac", "Song"),
        ("C:\\Music\\01. Song.wma", "Song"),
        ("../../etc/passwd", "passwd"),
        ("01_Song_of_Songs.ogg", "Song of Songs"),
        ("1-03 Song.m4a", "Song"),
        ("A1 - Song.aiff", "Song"),
        ("12.Song.opus", "Song"),
        ("7) Song.mp3", "Song"),
        ("99 Luftballons.mp3", "99 Luftballons"),
        ("1979.mp3", "1979"),
        ("1-800-273-8255.mp3", "1-800-273-8255"),
        ("Mr. Blue Sky.mp3", "Mr. Blue Sky"),
        ("St. Anger", "St. Anger"),
        ("03.mp3", "03"),
        ("\u202e3pm.exe.mp3", "3pm.exe"),
        (".mp3", ".mp3"),
        ("", "Untitled"),
        ("\x00\n", "Untitled"),
    ],
)
def test_a_title_from_a_file_name(name: str, title: str) -> None:
    """Folders, extension and track number go; numbers that belong to the name stay."""
    assert title_from_filename(name) == title


@given(st.text(max_size=300))
def test_a_title_is_never_empty_nor_a_path(name: str) -> None:
    """Whatever the file is called, there is something to show."""
    title = title_from_filename(name)
    assert 0 < len(title) <= 200
    assert "/" not in title
    assert "\\" not in title
