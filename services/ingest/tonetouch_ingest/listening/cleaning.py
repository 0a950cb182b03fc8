"""Text that came with a file, made fit to show and to store."""

import re
import unicodedata
from typing import Final

UNTITLED: Final = "Untitled"
_TITLE_CHARACTERS: Final = 200
_DROPPED: Final = frozenset({"Cc", "Cf", "Cs"})  # control; zero-width, bidi and other format marks; lone surrogates
_LEADING_NUMBER: Final = re.compile(
    r"""^(?:
        \d{1,2}-\d{2}[ .]+(?:-\ )?  |  # disc and track: 1-03 Title
        [A-D]?\d{1,3}\ ?-\ +        |  # 3 - Title, A1 - Title
        \d{1,3}[.)]\ +              |  # 3. Title, 3) Title
        \d{1,2}\.(?=[^\W\d])        |  # 12.Title
        0\d{1,2}[ .-]+                 # 03 Title: a number with a leading zero is not part of a name
    )(?=\S)""",
    re.VERBOSE,
)


def clean_text(text: str, *, limit: int) -> str:
    """Returns one line of at most `limit` characters in NFC, without control, zero-width and bidi characters.

    White space of any kind collapses to single spaces. Cleaning twice changes nothing. Longer texts are cut, never
    refused; of a text of megabytes only the first part is looked at.
    """
    looked_at = text[: limit * 4 + 1024]
    spaced = (" " if one.isspace() else one for one in looked_at)
    kept = "".join(one for one in spaced if unicodedata.category(one) not in _DROPPED)
    return " ".join(unicodedata.normalize("NFC", kept).split())[:limit].rstrip()


def title_from_filename(name: str) -> str:
    """Guesses a title from a file's name: without folders, extension and leading track number.

    A number is only dropped where it is written like a track number, so '99 Luftballons' and '1979' stay whole.
    'Untitled' if nothing is left.
    """
    last = re.split(r"[/\\]", name)[-1]
    stem = re.sub(r"(?<=.)\.[A-Za-z0-9]{1,5}\s*$", "", clean_text(last, limit=_TITLE_CHARACTERS * 2))
    spaced = clean_text(stem.replace("_", " "), limit=_TITLE_CHARACTERS)
    return _LEADING_NUMBER.sub("", spaced) or UNTITLED
