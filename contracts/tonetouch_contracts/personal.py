"""Marks on fields that say something about a person; they stand in the schemas as ``x-personal``.

A mark is put on the field's type: ``name: Annotated[str, WORDS]``. What is marked ``id`` leads to one person, and with
it all that is marked ``conduct`` in the same message is about that person. Names of artists, titles and lyrics are
about works and carry no mark.
"""

from typing import Final, Literal, get_args

import msgspec

PersonalKind = Literal["id", "words", "conduct"]

KEYWORD: Final = "x-personal"
"""The keyword under which a schema shows the mark."""

MEANINGS: Final[dict[PersonalKind, str]] = {
    "id": "a person's opaque id",
    "words": "a person's own words",
    "conduct": "what a person did, or what follows from it",
}

IDENTITY: Final = msgspec.Meta(extra_json_schema={KEYWORD: "id"})
WORDS: Final = msgspec.Meta(extra_json_schema={KEYWORD: "words"})
CONDUCT: Final = msgspec.Meta(extra_json_schema={KEYWORD: "conduct"})

KINDS: Final[tuple[PersonalKind, ...]] = get_args(PersonalKind)
