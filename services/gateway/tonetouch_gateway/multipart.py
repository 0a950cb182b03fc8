"""An upload form (RFC 7578) read as it arrives: small fields into memory, the one big file into the store.

The store pulls: it is handed the file as a stream, and each step of that stream reads one more piece of the request.
So the client is never read faster than the store takes, and nothing but that one piece is held here. The stream ends
only after the whole form has been found well-formed, fields behind the file included; whatever is wrong with the form
is raised *inside* the stream, where the store knows how to leave nothing behind.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from tonetouch_gateway.disposition import parse_disposition
from tonetouch_runtime._objects import Uploaded

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE, COVER = "file", "cover"
COVER_BYTES = 10 * 1024 * 1024
TEXT_BYTES = {"lyrics": 512 * 1024} | dict.fromkeys(("title", "artist", "album", "genre", "explicit", "region"), 4096)
BESIDES_FILE_BYTES = COVER_BYTES + sum(TEXT_BYTES.values()) + 64 * 1024
"""All the other parts at their limits, with their headers."""
MAX_PARTS = 64
PLAIN_ENCODINGS = {b"binary", b"8bit", b"7bit"}
UNKNOWN_TYPE = "application/octet-stream"

Store = Callable[[AsyncIterator[bytes]], Awaitable[Uploaded]]


class UploadRefused(Exception):
    """The form cannot be taken. Nothing of it is kept."""


class TooLarge(UploadRefused):
    """A part, or the body as a whole, has more bytes than its limit."""

    def __init__(self, part: str, *, max_bytes: int) -> None:
        super().__init__(f"{part} may have at most {max_bytes} bytes")
        self.part = part
        self.max_bytes = max_bytes


class Malformed(UploadRefused):
    """The body is not the form it claims to be; the reason is for the person who wrote the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MissingFile(UploadRefused):
    """A form without a part named `file`."""

    def __init__(self) -> None:
        super().__init__("the form has no part named 'file'")


class EmptyFile(UploadRefused):
    """The part `file` has no bytes."""

    def __init__(self) -> None:
        super().__init__("the file has no bytes")


class ClientLeft(UploadRefused):
    """The client closed the connection before the form was complete; there is nobody to answer."""

    def __init__(self) -> None:
        super().__init__("the client left before the form was complete")


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """The file as stored. `filename` is a base name, empty if the client gave none worth keeping."""

    filename: str
    content_type: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class UploadForm:
    """A form read to its end. `fields` has the text fields that were sent, under the names of `TEXT_BYTES`."""

    file: StoredFile
    cover: bytes | None
    fields: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class _FilePart:
    filename: str
    content_type: str


async def read_upload(request: Request, *, store: Store, max_bytes: int) -> UploadForm:
    """Reads the form of `request`, handing the part `file` to `store` while it arrives.

    `store` must read its stream to the end and, when the stream raises, leave nothing behind and let the error
    through. `max_bytes` bounds the file; `TEXT_BYTES` and `COVER_BYTES` bound the rest, parts of other names are
    skipped. Raises one of the `UploadRefused`, and whatever `store` raises.
    """
    form = _Form(max_bytes=max_bytes)
    parser = _parser(request, form)
    async with aclosing(_body(request, max_bytes + BESIDES_FILE_BYTES)) as body:
        async for piece in body:
            _feed(parser, piece)
            if form.file is not None:
                break
        if form.file is None:
            form.check_ended()
            raise MissingFile
        async with aclosing(_file_stream(form, parser, body)) as stream:
            uploaded = await store(stream)
    if not form.ended:
        raise RuntimeError("the store came back before the end of its stream")
    stored = StoredFile(
        filename=form.file.filename,
        content_type=form.file.content_type,
        size=uploaded.size,
        sha256=uploaded.sha256,
    )
    return UploadForm(file=stored, cover=form.cover, fields=form.fields)


def _parser(request: Request, form: "_Form") -> MultipartParser:
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise Malformed("the content type must be multipart/form-data")
    boundary = parameters.get(b"boundary", b"")
    if not boundary:
        raise Malformed("the content type names no boundary")
    try:
        return MultipartParser(boundary, form.callbacks())
    except FormParserError:
        raise Malformed("the boundary is too long") from None


async def _body(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body in the pieces the server has it in, refused by its announced length or, lacking one, by counting."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise TooLarge("the body", max_bytes=max_bytes)
    seen = 0
    try:
        async for piece in request.stream():
            seen += len(piece)
            if seen > max_bytes:
                raise TooLarge("the body", max_bytes=max_bytes)
            yield piece
    except ClientDisconnect:
        raise ClientLeft from None


async def _file_stream(
    form: "_Form", parser: MultipartParser, body: AsyncIterator[bytes]
) -> AsyncGenerator[bytes, None]:
    """The bytes of the file; comes to its end only when the form has, and has been found good."""
    for content in form.taken():
        yield content
    async for piece in body:
        _feed(parser, piece)
        for content in form.taken():
            yield content
    form.check_ended()
    if form.file_bytes == 0:
        raise EmptyFile


def _feed(parser: MultipartParser, piece: bytes) -> None:
    if not piece:
        return
    try:
        parser.write(piece)
    except FormParserError as error:
        raise Malformed(f"the form cannot be read: {error}") from None


class _Form:
    """What the parser has reported so far: the parts in memory, and the file's bytes until they are taken."""

    def __init__(self, *, max_bytes: int) -> None:
        self.file: _FilePart | None = None
        self.file_bytes = 0
        self.cover: bytes | None = None
        self.fields: dict[str, str] = {}
        self.ended = False
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._names: set[str] = set()
        self._parts = 0
        self._begin_part()

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._header_name_data,
            "on_header_value": self._header_value_data,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open_part,
            "on_part_data": self._part_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def taken(self) -> list[bytes]:
        """The file's bytes that came with the last piece of the body."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def check_ended(self) -> None:
        if not self.ended:
            raise Malformed("the body ends before the form does")

    def _begin_part(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._header_name, self._header_value = b"", b""
        self._name = ""
        self._value = bytearray()

    def _header_name_data(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_value_data(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name, self._header_value = b"", b""

    def _open_part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Malformed(f"the form has more than {MAX_PARTS} parts")
        said = parse_disposition(self._headers.get(b"content-disposition", b""))
        if said is None:
            raise Malformed("a part of the form has no name")
        if said.name not in {FILE, COVER, *TEXT_BYTES}:
            return
        if said.name in self._names:
            raise Malformed(f"the form has two parts named {said.name!r}")
        if self._headers.get(b"content-transfer-encoding", b"binary").strip().lower() not in PLAIN_ENCODINGS:
            raise Malformed(f"the part {said.name!r} must not be transfer-encoded")
        self._name = said.name
        self._names.add(said.name)
        if said.name == FILE:
            kind, _ = parse_options_header(self._headers.get(b"content-type"))
            self.file = _FilePart(filename=said.filename, content_type=kind.decode("latin-1") or UNKNOWN_TYPE)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE:
            self.file_bytes += end - start
            if self.file_bytes > self._max_bytes:
                raise TooLarge(FILE, max_bytes=self._max_bytes)
            self._pieces.append(data[start:end])
        elif self._name:
            limit = TEXT_BYTES.get(self._name, COVER_BYTES)
            if len(self._value) + end - start > limit:
                raise TooLarge(self._name, max_bytes=limit)
            self._value += data[start:end]

    def _end_part(self) -> None:
        if self._name == COVER:
            # A form in a browser sends an empty part for a picture that was not chosen.
            self.cover = bytes(self._value) or None
        elif self._name in TEXT_BYTES:
            self.fields[self._name] = _text(self._name, self._value)

    def _end(self) -> None:
        self.ended = True


def _text(name: str, value: bytearray) -> str:
    try:
        # Lyrics saved on Windows begin with a byte order mark.
        return value.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed(f"the field {name!r} is not UTF-8 text") from None
