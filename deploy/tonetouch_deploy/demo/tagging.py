"""Title, names, lyrics and cover inside the files, as each format has them."""

# mypy: allow-untyped-calls
# (mutagen has no annotations)

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutagen import id3
from mutagen.aiff import AIFF
from mutagen.flac import FLAC, Picture
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4, MP4Cover
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What a file says about its track; `sung` is each line of the lyrics with the second at which it begins."""

    title: str
    artist: str
    album: str
    album_artist: str
    genre: str
    year: int
    track: int
    tracks: int
    language: str
    sung: tuple[tuple[float, str], ...]
    cover_jpeg: bytes
    cover_side: int

    @property
    def lrc(self) -> str:
        """The lyrics in LRC form."""
        lines = [f"[ti:{self.title}]", f"[ar:{self.artist}]", f"[al:{self.album}]"]
        for second, line in self.sung:
            minutes, hundredths = divmod(round(second * 100), 6_000)
            lines.append(f"[{minutes:02d}:{hundredths // 100:02d}.{hundredths % 100:02d}]{line}")
        return "\n".join(lines) + "\n"


def tag(path: Path, tags: Tags) -> None:
    """Write the tags into a file; its suffix decides how."""
    _WRITERS[path.suffix](path, tags)


def _id3(open_file: Callable[[Path], MP3 | WAVE | AIFF]) -> Callable[[Path, Tags], None]:
    def write(path: Path, tags: Tags) -> None:
        file = open_file(path)
        for frame in _id3_frames(tags):
            file[frame.HashKey] = frame
        file.save()

    return write


def _id3_frames(tags: Tags) -> list[id3.Frame]:
    """The lyrics go in twice: as timed lines (SYLT), and as LRC text (USLT), which is what most players look for."""
    timed = [(line, round(second * 1000)) for second, line in tags.sung]
    utf8 = id3.Encoding.UTF8
    return [
        id3.TIT2(encoding=utf8, text=tags.title),
        id3.TPE1(encoding=utf8, text=tags.artist),
        id3.TALB(encoding=utf8, text=tags.album),
        id3.TPE2(encoding=utf8, text=tags.album_artist),
        id3.TCON(encoding=utf8, text=tags.genre),
        id3.TDRC(encoding=utf8, text=str(tags.year)),
        id3.TRCK(encoding=utf8, text=f"{tags.track}/{tags.tracks}"),
        id3.USLT(encoding=utf8, lang=tags.language, desc="", text=tags.lrc),
        id3.SYLT(encoding=utf8, lang=tags.language, desc="", format=2, type=1, text=timed),
        id3.APIC(
            encoding=utf8, mime="image/jpeg", type=id3.PictureType.COVER_FRONT, desc="Cover", data=tags.cover_jpeg
        ),
    ]


def _flac(path: Path, tags: Tags) -> None:
    file = FLAC(path)
    file.update(_vorbis_comments(tags))
    file.add_picture(_picture(tags))
    file.save()


def _ogg(open_file: Callable[[Path], OggVorbis | OggOpus]) -> Callable[[Path, Tags], None]:
    def write(path: Path, tags: Tags) -> None:
        file = open_file(path)
        file.update(_vorbis_comments(tags))
        file["METADATA_BLOCK_PICTURE"] = base64.b64encode(_picture(tags).write()).decode("ascii")
        file.save()

    return write


def _vorbis_comments(tags: Tags) -> dict[str, str]:
    return {
        "TITLE": tags.title,
        "ARTIST": tags.artist,
        "ALBUM": tags.album,
        "ALBUMARTIST": tags.album_artist,
        "GENRE": tags.genre,
        "DATE": str(tags.year),
        "TRACKNUMBER": str(tags.track),
        "TRACKTOTAL": str(tags.tracks),
        "LYRICS": tags.lrc,
    }


def _picture(tags: Tags) -> Picture:
    picture = Picture()
    picture.type = id3.PictureType.COVER_FRONT
    picture.mime, picture.desc, picture.data = "image/jpeg", "Cover", tags.cover_jpeg
    picture.width = picture.height = tags.cover_side
    picture.depth = 24
    return picture


def _mp4(path: Path, tags: Tags) -> None:
    file = MP4(path)
    file.update(
        {
            "\xa9nam": tags.title,
            "\xa9ART": tags.artist,
            "\xa9alb": tags.album,
            "aART": tags.album_artist,
            "\xa9gen": tags.genre,
            "\xa9day": str(tags.year),
            "trkn": [(tags.track, tags.tracks)],
            "\xa9lyr": tags.lrc,
            "covr": [MP4Cover(tags.cover_jpeg, imageformat=MP4Cover.FORMAT_JPEG)],
        }
    )
    file.save()


_WRITERS: dict[str, Callable[[Path, Tags], None]] = {
    ".mp3": _id3(MP3),
    ".wav": _id3(WAVE),
    ".aiff": _id3(AIFF),
    ".flac": _flac,
    ".ogg": _ogg(OggVorbis),
    ".opus": _ogg(OggOpus),
    ".m4a": _mp4,
}
