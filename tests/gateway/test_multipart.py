"""An upload form is read as it arrives: fields into memory, the file into the store, and nothing left of a bad one."""

from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from tests.gateway.wire import BOUNDARY, FORM_TYPE, form, part
from tonetouch_gateway.multipart import (
    COVER_BYTES,
    MAX_PARTS,
    TEXT_BYTES,
    ClientLeft,
    EmptyFile,
    Malformed,
    MissingFile,
    TooLarge,
    UploadForm,
    UploadRefused,
    read_upload,
)
from tonetouch_runtime._objects import Uploaded

AUDIO = b"RIFF the audio, with \r\n and \r\n--a-boundary-of-the-test in it\r\n"
FILE = part("file", AUDIO, filename="song.wav", headers="Content-Type: audio/wav\r\n")


class Shelf:
    """A store in memory which keeps a file only when its stream came to a good end."""

    def __init__(self) -> None:
        self.kept: bytes | None = None

    async def store(self, stream: AsyncIterator[bytes]) -> Uploaded:
        data = b"".join([piece async for piece in stream])
        self.kept = data
        return Uploaded(size=len(data), sha256=sha256(data).hexdigest())


def _request(pieces: list[bytes], *, content_type: str = FORM_TYPE, length: int | None = None) -> Request:
    headers = [(b"content-type", content_type.encode("latin-1"))]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    last = len(pieces) - 1
    messages: Iterator[Message] = iter(
        [{"type": "http.request", "body": piece, "more_body": i < last} for i, piece in enumerate(pieces)]
    )

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def _read(*pieces: bytes, max_bytes: int = 10**6, content_type: str = FORM_TYPE) -> tuple[UploadForm, bytes]:
    shelf = Shelf()
    read = await read_upload(_request(list(pieces), content_type=content_type), store=shelf.store, max_bytes=max_bytes)
    assert shelf.kept is not None
    return read, shelf.kept


async def _refused(*pieces: bytes, max_bytes: int = 10**6, content_type: str = FORM_TYPE) -> UploadRefused:
    shelf = Shelf()
    request = _request(list(pieces), content_type=content_type)
    with pytest.raises(UploadRefused) as refused:
        await read_upload(request, store=shelf.store, max_bytes=max_bytes)
    assert shelf.kept is None
    return refused.value


async def test_a_form_is_read_whole() -> None:
    """Fields before and behind the file, the cover and the file itself arrive as sent."""
    read, kept = await _read(form(part("title", "Über".encode()), FILE, part("cover", b"\x89PNG"), part("genre", b"")))
    assert kept == AUDIO
    assert read.fields == {"title": "Über", "genre": ""}
    assert read.cover == b"\x89PNG"
    assert (read.file.filename, read.file.content_type) == ("song.wav", "audio/wav")
    assert (read.file.size, read.file.sha256) == (len(AUDIO), sha256(AUDIO).hexdigest())


_NEAR_BOUNDARIES = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"\r\n--", f"\r\n--{BOUNDARY[:-1]}".encode(), b"x", b"\r\n--a"]),
    max_size=12,
).map(b"".join)
_CONTENT = st.one_of(st.binary(max_size=200), _NEAR_BOUNDARIES)
_FIELDS = st.dictionaries(st.sampled_from(sorted(TEXT_BYTES)), st.text(max_size=50).filter(lambda t: t[:1] != "\ufeff"))


@given(fields=_FIELDS, audio=_CONTENT.filter(bool), cover=st.none() | _CONTENT.filter(bool), data=st.data())
async def test_any_form_in_any_pieces_reads_the_same(
    fields: dict[str, str], audio: bytes, cover: bytes | None, data: st.DataObject
) -> None:
    """Neither the order of the parts nor the places where the network cuts the body change what is read."""
    parts = [part(name, value.encode()) for name, value in fields.items()]
    parts += [part("file", audio, filename="a.mp3"), part("unknown", b"skipped")]
    parts += [] if cover is None else [part("cover", cover, filename="c.png")]
    body = form(*data.draw(st.permutations(parts)))
    cuts = sorted({0, len(body), *data.draw(st.lists(st.integers(0, len(body)), max_size=30))})
    read, kept = await _read(*(body[start:end] for start, end in pairwise(cuts)))
    assert (read.fields, read.cover, kept) == (fields, cover, audio)


async def test_a_form_byte_by_byte_reads_the_same() -> None:
    """The smallest pieces there are."""
    body = form(part("title", b"T"), FILE)
    read, kept = await _read(*(body[i : i + 1] for i in range(len(body))))
    assert (kept, read.fields) == (AUDIO, {"title": "T"})


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"\r\n", b""), (b"\r\n\r\n", b""), (b"", b"\r\nan epilogue\r\n"), (b"", b"--" + BOUNDARY.encode() + b"\r\n")],
)
async def test_what_stands_around_a_form_does_not_matter(before: bytes, after: bytes) -> None:
    """Empty lines before the first boundary and an epilogue behind the last one are skipped (RFC 2046, 5.1.1)."""
    _, kept = await _read(before + form(FILE) + after)
    assert kept == AUDIO


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "an empty body"),
        (b"--" + BOUNDARY.encode(), "half a boundary line"),
        (form(FILE)[:-4], "no closing boundary"),
        (form(FILE)[: len(form(FILE)) // 2], "cut in the file"),
        (form(FILE, part("title", b"T"))[:-8], "cut behind the file"),
        (form(FILE).replace(b"\r\n", b"\n"), "bare line feeds"),
        (form(FILE).replace(BOUNDARY.encode(), b"another"), "another boundary than announced"),
        (form(FILE, FILE), "two files"),
        (form(part("title", b"a"), part("title", b"b"), FILE), "a field twice"),
        (form(FILE, part("title", b"\xff\xfe")), "text that is not UTF-8"),
        (form(b"Content-Type: text/plain\r\n\r\nx", FILE), "a part without a name"),
        (form(b"Content-Disposition: attachment; name=file\r\n\r\nx"), "not form-data"),
        (form(b"Content Disposition: form-data\r\n\r\nx"), "a header that is none"),
        (form(b"Content-Disposition: form-data; name=file; x=" + b"y" * 5000 + b"\r\n\r\nx"), "an endless header"),
        (form(part("file", b"QUJD", filename="a", headers="Content-Transfer-Encoding: base64\r\n")), "base64"),
        (form(*[part("unknown", b"")] * MAX_PARTS, FILE), "too many parts"),
    ],
)
async def test_a_body_that_is_no_form_is_malformed_and_nothing_is_kept(body: bytes, why: str) -> None:
    """Whatever is wrong, and wherever: the store's stream fails, so it keeps nothing."""
    assert isinstance(await _refused(body), Malformed), why
    middle = len(body) // 2
    assert isinstance(await _refused(body[:middle], body[middle:]), Malformed), why


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/mixed; boundary={BOUNDARY}",
        f"multipart/form-data; boundary={'b' * 300}",
    ],
)
async def test_a_request_of_another_type_is_malformed(content_type: str) -> None:
    """Only a form with a boundary is read at all."""
    assert isinstance(await _refused(form(FILE), content_type=content_type), Malformed)


async def test_a_boundary_may_be_quoted() -> None:
    """Quotes around the boundary are part of the header, not of the boundary."""
    _, kept = await _read(form(FILE), content_type=f'Multipart/Form-Data; charset=utf-8; boundary="{BOUNDARY}"')
    assert kept == AUDIO


async def test_a_form_needs_a_file_with_bytes_in_it() -> None:
    """No file and an empty file are two different answers."""
    assert isinstance(await _refused(form(part("title", b"T"))), MissingFile)
    assert isinstance(await _refused(b"--" + BOUNDARY.encode() + b"--\r\n"), MissingFile)
    assert isinstance(await _refused(form(part("file", b"", filename="a.mp3"), part("title", b"T"))), EmptyFile)


async def test_an_empty_cover_is_no_cover() -> None:
    """A browser sends an empty part for a picture that was not chosen."""
    read, _ = await _read(form(FILE, part("cover", b"", filename="")))
    assert read.cover is None


async def test_lyrics_lose_their_byte_order_mark() -> None:
    """Lyrics may come as a file, too."""
    read, _ = await _read(form(part("lyrics", "\ufeff[00:01.00]La".encode(), filename="a.lrc"), FILE))
    assert read.fields == {"lyrics": "[00:01.00]La"}


@pytest.mark.parametrize(("name", "limit"), [("cover", COVER_BYTES), *TEXT_BYTES.items()])
async def test_every_part_has_its_own_limit(name: str, limit: int) -> None:
    """A part at its limit is taken, one byte more is too large; before the file or behind it."""
    await _read(form(FILE, part(name, b"x" * limit)))
    for body in (form(FILE, part(name, b"x" * (limit + 1))), form(part(name, b"x" * (limit + 1)), FILE)):
        refused = await _refused(body)
        assert isinstance(refused, TooLarge)
        assert (refused.part, refused.max_bytes) == (name, limit)


async def test_the_file_has_a_limit() -> None:
    """A file at the limit is taken, one byte more is too large."""
    await _read(form(part("file", b"x" * 1000)), max_bytes=1000)
    assert isinstance(await _refused(form(part("file", b"x" * 1001)), max_bytes=1000), TooLarge)


async def test_parts_that_are_skipped_count_as_well() -> None:
    """Otherwise a part of an unknown name could go on for ever."""
    junk = b"x" * 2**20
    assert isinstance(await _refused(*([form(part("unknown", junk))[:-4]] + [junk] * 12), max_bytes=1000), TooLarge)


async def test_a_length_beyond_every_limit_is_refused_unread() -> None:
    """The announced length is enough; the body is not looked at."""

    async def receive() -> Message:
        raise AssertionError("the body was read")

    headers = [(b"content-type", FORM_TYPE.encode()), (b"content-length", b"99999999999")]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    with pytest.raises(TooLarge):
        await read_upload(request, store=Shelf().store, max_bytes=1000)


async def test_a_client_that_leaves_is_noticed_in_the_stream() -> None:
    """Before the file and in the middle of it."""
    for sent in (form(FILE)[:20], form(FILE)[:-20]):
        messages = iter([{"type": "http.request", "body": sent, "more_body": True}])

        async def receive(messages: Iterator[Message] = messages) -> Message:
            return next(messages, {"type": "http.disconnect"})

        shelf = Shelf()
        request = Request(
            {"type": "http", "method": "POST", "headers": [(b"content-type", FORM_TYPE.encode())]}, receive
        )
        with pytest.raises(ClientLeft):
            await read_upload(request, store=shelf.store, max_bytes=1000)
        assert shelf.kept is None


async def test_no_more_is_read_than_the_store_takes() -> None:
    """Backpressure: when the store has taken n pieces, at most n + 1 have been read from the client."""
    body = form(part("file", b"x" * 50_000))
    pieces = [body[i : i + 1000] for i in range(0, len(body), 1000)]
    read = taken = 0

    async def receive() -> Message:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": pieces[read - 1], "more_body": read < len(pieces)}

    async def store(stream: AsyncIterator[bytes]) -> Uploaded:
        nonlocal taken
        async for _ in stream:
            taken += 1
            assert read <= taken + 1
        return Uploaded(size=50_000, sha256="")

    headers = [(b"content-type", FORM_TYPE.encode())]
    await read_upload(
        Request({"type": "http", "method": "POST", "headers": headers}, receive), store=store, max_bytes=10**6
    )
    assert taken >= 50


@given(audio=st.binary(min_size=1, max_size=300))
@example(audio=f"--{BOUNDARY}--".encode())
async def test_a_boundary_counts_only_at_the_beginning_of_a_line(audio: bytes) -> None:
    """The same bytes in the middle of a line are content."""
    content = b"x" + audio.replace(b"\r\n", b"")
    _, kept = await _read(form(part("file", content)))
    assert kept == content
