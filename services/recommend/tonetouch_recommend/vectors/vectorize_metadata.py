"""A payload as the metadata of a vector in Vectorize, and back. Pure.

Each declared field has a property that is indexed, named after its type and itself: so the index says what was
declared. Vectorize indexes strings and numbers, not lists: of a `keywords` field the indexed property holds the first
entry, and the whole list stands beside it. What `$nin` means for a vector without the property is not documented, hence
every field that can be asked for by equality is always there, with a value no point has where the field is absent.
"""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from .collection import Collection, FieldType, Payload, PayloadValue, Point, UnfitPointError

SPACES: Final = 16
"""Namespaces that the points of a collection fall into by their ids, for where it has to be asked in parts."""

ABSENT: Final = "\u0001absent"
ABSENT_NUMBER: Final = 2**60
"""Beyond every integer that a payload may hold, and exact as float64."""

MOST_METADATA_BYTES: Final = 10 * 1024
_KINDS: Final[Mapping[str, FieldType]] = {
    "keyword": "keyword",
    "keywords": "keywords",
    "integer": "integer",
    "float": "float",
}


def property_of(field: str, kind: FieldType) -> str:
    """The indexed property of a field."""
    return f"{kind}_{field}"


def indexes_of(fields: Mapping[str, FieldType]) -> dict[str, str]:
    """The metadata indexes that the fields need, with their types."""
    return {
        property_of(field, kind): "string" if kind in ("keyword", "keywords") else "number"
        for field, kind in fields.items()
    }


def fields_of(indexed: Iterable[str]) -> dict[str, FieldType]:
    """The fields that were declared, by the names of the metadata indexes."""
    fields: dict[str, FieldType] = {}
    for name in indexed:
        kind, _, field = name.partition("_")
        if field and kind in _KINDS:
            fields[field] = _KINDS[kind]
    return fields


def metadata_of(point: Point, collection: Collection) -> dict[str, Any]:
    """What is written beside an admitted point's vector. Raises `UnfitPointError` above 10 KiB."""
    metadata: dict[str, Any] = {}
    for field, kind in collection.fields.items():
        value = point.payload.get(field)
        if kind == "keywords" and isinstance(value, list):
            metadata[_whole(field)] = value
            value = value[0] if value else None
        if value is not None:
            metadata[property_of(field, kind)] = value
        elif kind != "float":  # nobody asks a float for equality
            metadata[property_of(field, kind)] = ABSENT_NUMBER if kind == "integer" else ABSENT
    if (size := len(msgspec.json.encode(metadata))) > MOST_METADATA_BYTES:
        raise UnfitPointError(
            f"{collection.name}: the payload of {point.id} takes {size} bytes; Vectorize keeps at most "
            f"{MOST_METADATA_BYTES}"
        )
    return metadata


def payload_of(metadata: Mapping[str, Any], fields: Mapping[str, FieldType]) -> Payload:
    """The payload that `metadata_of` was given."""
    payload: dict[str, PayloadValue] = {}
    for field, kind in fields.items():
        value = metadata.get(_whole(field) if kind == "keywords" else property_of(field, kind))
        if value in (None, ABSENT, ABSENT_NUMBER):
            continue
        payload[field] = int(value) if kind == "integer" else float(value) if kind == "float" else value
    return payload


def space_of(point_id: str) -> str:
    """The namespace of a point: the same for an id for ever."""
    return f"{zlib.crc32(point_id.encode()) % SPACES:x}"


def _whole(field: str) -> str:
    return f"all_{field}"
