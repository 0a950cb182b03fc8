"""What a part of a form says of itself (`Content-Disposition`), and the name a file may keep.

Read by hand: the form parser's own reader drops `filename*`, which RFC 7578 forbids and some clients send all the same.
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

MAX_FILENAME_CHARS = 255
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:\\.|[^"\\])*"|[^;]*)', re.DOTALL)
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE | re.DOTALL)
# The three bytes that browsers escape in names (WHATWG HTML, multipart/form-data encoding algorithm).
_BROWSER_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}
_INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}
# Characters that reorder the text around them: 'gpj.3pm' must not pass for something else.
_BIDI_CONTROLS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, kw_only=True)
class Disposition:
    """The name of a form field and, when it is a file, the base name of that file (else empty)."""

    name: str
    filename: str


def parse_disposition(header: bytes) -> Disposition | None:
    """Reads a `Content-Disposition` header; None unless it is `form-data` with a name."""
    text = header.decode("latin-1")
    kind, _, _ = text.partition(";")
    parameters = {name.lower(): _unquoted(value) for name, value in _PARAMETER.findall(text[len(kind) :])}
    if kind.strip().lower() != "form-data" or "name" not in parameters:
        return None
    filename = _extended(parameters.get("filename*", "")) or _plain(parameters.get("filename", ""))
    return Disposition(name=_plain(parameters["name"]), filename=base_name(filename))


def base_name(filename: str) -> str:
    """The last step of a path in either spelling, without control and text-direction characters.

    Empty for what names no file (`..`, `/`). At most 255 characters; the extension survives the cut.
    """
    kept = "".join(c for c in filename if unicodedata.category(c) not in _INVISIBLE and c not in _BIDI_CONTROLS)
    name = re.split(r"[/\\]", kept)[-1].strip()
    if not name.strip("."):
        return ""
    if len(name) <= MAX_FILENAME_CHARS:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 16:
        return name[:MAX_FILENAME_CHARS]
    return f"{stem[: MAX_FILENAME_CHARS - 1 - len(extension)]}.{extension}"


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        # Only these two are escapes: a path of Windows is sent with its backslashes as they are.
        return re.sub(r'\\(["\\])', r"\1", value[1:-1])
    return value


def _plain(value: str) -> str:
    """Browsers send UTF-8 here; anything that is not is taken for Latin-1."""
    raw = value.encode("latin-1")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = value
    return re.sub("%22|%0D|%0A", lambda escape: _BROWSER_ESCAPES[escape[0]], text)


def _extended(value: str) -> str:
    """A value in the notation of RFC 8187 (formerly 5987); empty when it is not one."""
    match = _EXTENDED.fullmatch(value)
    if match is None:
        return ""
    try:
        return unquote_to_bytes(match[2].encode("latin-1")).decode(match[1])
    except UnicodeDecodeError:
        return ""
