"""Text from outside made safe to read and to print: bounded, one line, nothing hidden in it."""

import unicodedata

MAX_REMEMBERED = 20_000  # characters; texts that try all 1.1 million must not fill the memory


class _Visible(dict[int, str | None]):
    """A translation table filled as characters are met: controls become spaces, invisible marks vanish."""

    def __init__(self, *, joiners: str = "") -> None:
        super().__init__({ord(joiner): joiner for joiner in joiners})

    def __missing__(self, code: int) -> str | None:
        category = unicodedata.category(chr(code))
        kept: str | None = chr(code)
        if category == "Cf":  # bidi overrides, zero-width characters, byte order marks
            kept = None
        elif category in ("Cc", "Cs", "Co") or category[0] == "Z":  # controls, lone surrogates, private use, separators
            kept = " "
        if len(self) < MAX_REMEMBERED:
            self[code] = kept
        return kept


_TO_READ = _Visible()
# Persian words and many emoji are misspelt without the zero-width joiner and non-joiner.
_TO_SHOW = _Visible(joiners="\u200c\u200d")


def cleaned(text: str, *, limit: int) -> str:
    """`text` to compute with: the visible part in NFKC (UAX 15) on one line, at most `limit` characters.

    Characters of Unicode category Cf (the bidi controls of UAX 9 among them) are dropped; controls, private use and
    lone surrogates become spaces; spaces collapse. Input past `limit` is never looked at.
    """
    # Composition may widen a character eighteenfold (U+FDFA), hence the second cut.
    visible = unicodedata.normalize("NFKC", text[:limit].translate(_TO_READ))[:limit]
    return " ".join(visible.split())


def shortened(text: str, *, limit: int) -> str:
    """`text` to show to people: as `cleaned` but in NFC with joiners kept, a long one cut after a word with `…`."""
    visible = unicodedata.normalize("NFC", text[: 4 * limit].translate(_TO_SHOW))
    whole = " ".join(visible.split())
    if len(whole) <= limit and len(text) <= 4 * limit:
        return whole
    head, space, _ = whole[:limit].rpartition(" ")
    return (head if space else whole[: limit - 1]) + "…"
