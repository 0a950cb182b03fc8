"""Marks on fields that say something about a person; they stand in the schemas as ``x-personal``.

A mark is put on the field's type: ``name: Annotated[str, WORDS]``. What is marked ``id`` leads to one person, and with
it all that is marked ``conduct`` in the same message is about that person. Names of artists, titles and lyrics are
about works and carry no mark. The words of events are sealed in the log under a key of the person: who reads it
without our keys finds ``sealed.v1.`` and what follows, and nothing that says more once the person was erased.
"""

from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

PersonalKind = Literal["id", "words", "conduct"]

KEYWORD: Final = "x-personal"
"""The keyword under which a schema shows the mark."""

MEANINGS: Final[dict[PersonalKind, str]] = {
    "id": "a person's opaque id",
    "words": "a person's own words, sealed in the log",
    "conduct": "what a person did, or what follows from it",
}

IDENTITY: Final = msgspec.Meta(extra_json_schema={KEYWORD: "id"})
WORDS: Final = msgspec.Meta(extra_json_schema={KEYWORD: "words"})
CONDUCT: Final = msgspec.Meta(extra_json_schema={KEYWORD: "conduct"})

KINDS: Final[tuple[PersonalKind, ...]] = get_args(PersonalKind)


def marks_of(message: type[msgspec.Struct]) -> dict[str, PersonalKind]:
    """The marked fields of a message, in their order; not those of the structs in it."""
    hints = get_type_hints(message, include_extras=True)
    found = {name: _mark(hints[name]) for name in message.__struct_fields__}
    return {name: kind for name, kind in found.items() if kind is not None}


def _mark(annotation: Any) -> PersonalKind | None:
    if (named := getattr(annotation, "__supertype__", None)) is not None:
        return _mark(named)
    for meta in getattr(annotation, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and (kind := (meta.extra_json_schema or {}).get(KEYWORD)):
            marked: PersonalKind = kind
            return marked
    inside = get_args(annotation) if get_origin(annotation) in (Annotated, Union, UnionType) else ()
    return next((kind for each in inside if (kind := _mark(each)) is not None), None)
