"""Lyrics, plain or timed (LRC), as lines; and the passages of them that are worth an embedding each."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

import msgspec

from tonetouch_ingest.listening.cleaning import clean_text

MAXIMUM_CHARACTERS: Final = 100_000  # forty times a long song; what follows is not sung
MAXIMUM_LINES: Final = 2_000
MAXIMUM_LINE_CHARACTERS: Final = 500
MAXIMUM_PROBLEMS: Final = 20

_LATEST_MILLISECONDS: Final = (999 * 60 + 59) * 1000 + 999
_MAXIMUM_OFFSET_MILLISECONDS: Final = 600_000
_STAMP: Final = re.compile(r"\[(\d{1,3}):([0-5]?\d)(?:[.:](\d{1,3}))?\] ?", re.ASCII)
_WORD_STAMP: Final = re.compile(r"<\d{1,3}:[0-5]?\d(?:[.:]\d{1,3})?>", re.ASCII)
_LIKE_A_STAMP: Final = re.compile(r"\[\s*-?\d+\s*:")
_METADATA: Final = re.compile(
    r"\[(ar|ti|al|au|lr|by|re|ve|tool|length|offset|la|language|id|#) ?:(.*)\]", re.IGNORECASE
)
_OFFSET: Final = re.compile(r"[+-]?\d{1,7}", re.ASCII)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*", re.ASCII)


class Line(msgspec.Struct, frozen=True):
    """One line. `start_seconds` is when it is sung (to the millisecond), None when nobody said."""

    start_seconds: float | None
    text: str


class Lyrics(msgspec.Struct, frozen=True, kw_only=True):
    """The lyrics of a track in the order they are sung; an empty line ends a stanza.

    `synced` when at least one line has a time. `language` is what the text or its tag claims (such as 'en' or 'eng').
    `problems` say in words what was malformed or cut; the text itself is kept wherever possible.
    """

    language: str | None = None
    synced: bool = False
    lines: tuple[Line, ...] = ()
    problems: tuple[str, ...] = ()


def parse_lyrics(text: str, *, language: str | None = None) -> Lyrics:
    """Reads plain lyrics or LRC; never fails.

    LRC: several stamps on one line, [offset:] in milliseconds (positive means earlier), metadata tags, stamps of single
    words (dropped). A line that only looks stamped stays as text, with a note. `language` counts when the text does not
    name its own.
    """
    reading = _Reading(language)
    for number, line in enumerate(_capped_lines(text, reading.problems), start=1):
        reading.read(number, line)
    return reading.lyrics()


def decode_text(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a file somebody sent, and a note where its encoding had to be guessed; never fails.

    UTF-8, or UTF-16 where a byte order mark says so; anything else is read as Windows-1252, as old editors wrote it.
    """
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig"), ()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), ("the text is not UTF-8 and was read as Windows-1252",)


def to_lrc(lyrics: Lyrics) -> str:
    """Writes lyrics as LRC, or as plain lines when none has a time. Parsing the result gives the same lines."""
    head = [f"[la:{lyrics.language}]"] if lyrics.language else []
    return "\n".join([*head, *(_written(one) for one in lyrics.lines)])


def passages(
    lyrics: Lyrics, *, max_characters: int = 480, max_lines: int = 8, max_passages: int = 24
) -> tuple[str, ...]:
    """Groups lines into passages to embed: a stanza each, long stanzas in parts, in the order of the song.

    A repeated passage (a chorus) counts once. If more than `max_passages` are left, they are taken evenly from all of
    them. A passage has at most `max_characters`; its lines are joined by line breaks, longer lines are broken.
    """
    found: dict[str, None] = {}
    for filled, stanza in groupby(lyrics.lines, key=lambda line: bool(line.text)):
        if filled:
            pieces = (piece for line in stanza for piece in _pieces(line.text, max_characters))
            found.update(dict.fromkeys(_packed(pieces, max_characters=max_characters, max_lines=max_lines)))
    every = list(found)
    if len(every) <= max_passages:
        return tuple(every)
    return tuple(every[at * len(every) // max_passages] for at in range(max_passages))


class _Reading:
    """What is known while the lines go by."""

    def __init__(self, language: str | None) -> None:
        self.language = language.lower() if language and _LANGUAGE.fullmatch(language) else None
        self.problems: list[str] = []
        self._offset = 0
        self._timed: list[tuple[int, str]] = []  # in the order of the file; -1 has no time
        self._synced = False

    def read(self, number: int, line: str) -> None:
        metadata = _METADATA.fullmatch(line)
        if metadata:
            self._note(number, metadata.group(1).lower(), metadata.group(2).strip())
            return
        starts, text = _stamps(line)
        if not starts and _LIKE_A_STAMP.match(text):
            self.problems.append(f"line {number} has a malformed time and is kept as text")
        if len(text) > MAXIMUM_LINE_CHARACTERS:
            self.problems.append(f"line {number} is cut to {MAXIMUM_LINE_CHARACTERS} characters")
            text = text[:MAXIMUM_LINE_CHARACTERS].rstrip()
        self._synced = self._synced or bool(starts)
        self._timed += [(start, text) for start in starts] or [(-1, text)]

    def lyrics(self) -> Lyrics:
        lines = list(_in_order(self._timed, self._offset) if self._synced else _stanzas(self._timed))
        if len(lines) > MAXIMUM_LINES:
            self.problems.append(f"only the first {MAXIMUM_LINES} of {len(lines)} lines are kept")
            lines = lines[:MAXIMUM_LINES]
        return Lyrics(
            language=self.language,
            synced=any(line.start_seconds is not None for line in lines),
            lines=tuple(lines),
            problems=_few(self.problems),
        )

    def _note(self, number: int, key: str, value: str) -> None:
        if key == "offset":
            if not _OFFSET.fullmatch(value) or abs(int(value)) > _MAXIMUM_OFFSET_MILLISECONDS:
                self.problems.append(
                    f"line {number} has an offset that is no number of milliseconds within ten minutes"
                )
            else:
                self._offset = int(value)
        elif key in {"la", "language"}:
            if _LANGUAGE.fullmatch(value):
                self.language = value.lower()
            else:
                self.problems.append(f"line {number} names no language")


def _capped_lines(text: str, problems: list[str]) -> Iterator[str]:
    if len(text) > MAXIMUM_CHARACTERS:
        problems.append(f"only the first {MAXIMUM_CHARACTERS} of {len(text)} characters are kept")
    for line in text[:MAXIMUM_CHARACTERS].splitlines():
        words = clean_text(line, limit=3 * MAXIMUM_LINE_CHARACTERS)
        while (stripped := _WORD_STAMP.sub("", words)) != words:
            words = stripped
        yield clean_text(words, limit=3 * MAXIMUM_LINE_CHARACTERS)


def _stamps(line: str) -> tuple[list[int], str]:
    starts = []
    while stamp := _STAMP.match(line):
        minutes, seconds, fraction = stamp.groups(default="0")
        starts.append((int(minutes) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0")))
        line = line[stamp.end() :]
    return starts, line


def _in_order(timed: list[tuple[int, str]], offset: int) -> Iterator[Line]:
    """Sorts by time; a line without one stays behind the line it stood behind, empty ones go."""
    placed, latest = [], -1
    for start, text in timed:
        latest = start if start >= 0 else latest
        if start >= 0 or text:
            placed.append((latest, start, text))
    for _, start, text in sorted(placed, key=lambda one: one[0]):
        milliseconds = min(max(start - offset, 0), _LATEST_MILLISECONDS)
        yield Line(milliseconds / 1000 if start >= 0 else None, text)


def _stanzas(timed: list[tuple[int, str]]) -> Iterator[Line]:
    """Plain lines with one empty line between stanzas and none around them."""
    first = True
    for filled, group in groupby((text for _, text in timed), key=bool):
        if filled:
            if not first:
                yield Line(None, "")
            yield from (Line(None, text) for text in group)
            first = False


def _written(line: Line) -> str:
    if line.start_seconds is None:
        return line.text
    milliseconds = round(line.start_seconds * 1000)
    fraction = f"{milliseconds % 1000:03d}"
    shown = fraction[:2] if fraction.endswith("0") else fraction  # players expect hundredths where they suffice
    return f"[{milliseconds // 60_000:02d}:{milliseconds // 1000 % 60:02d}.{shown}]{line.text}"


def _pieces(text: str, max_characters: int) -> Iterator[str]:
    while len(text) > max_characters:
        cut = text.rfind(" ", 1, max_characters + 1)
        cut = cut if cut > 0 else max_characters
        yield text[:cut]
        text = text[cut:].lstrip()
    if text:
        yield text


def _packed(pieces: Iterable[str], *, max_characters: int, max_lines: int) -> Iterator[str]:
    lines: list[str] = []
    for piece in pieces:
        full = len(lines) == max_lines or sum(map(len, lines)) + len(lines) + len(piece) > max_characters
        if lines and full:
            yield "\n".join(lines)
            lines = []
        lines.append(piece)
    if lines:
        yield "\n".join(lines)


def _few(problems: list[str]) -> tuple[str, ...]:
    unique = list(dict.fromkeys(problems))
    if len(unique) <= MAXIMUM_PROBLEMS:
        return tuple(unique)
    return (*unique[:MAXIMUM_PROBLEMS], f"and {len(unique) - MAXIMUM_PROBLEMS} more")
