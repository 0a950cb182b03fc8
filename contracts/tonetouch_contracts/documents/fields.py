"""The fields of a message as its schema lists them, those of nested objects under their path."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tonetouch_contracts.personal import KEYWORD, KINDS, PersonalKind

Schema = Mapping[str, Any]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field: its path (``cover.alt``, ``seeds[].about``), what it holds in words, what silence means.

    `default` is JSON, or None where the field must be there; `depth` is 0 for a field of the message itself.
    """

    path: str
    kind: str
    default: str | None
    personal: PersonalKind | None
    depth: int


def fields_of(schema: Schema) -> list[Field]:
    """All fields of a message in the order they are declared. A definition that holds itself is opened once."""
    return list(_fields(schema, schema, "", 0, ()))


def personal_fields(schema: Schema) -> dict[str, PersonalKind]:
    """The fields that say something about a person, by path."""
    return {field.path: field.personal for field in fields_of(schema) if field.personal}


def kinds_in(schemas: Mapping[str, Schema]) -> list[PersonalKind]:
    """What of persons is in any of these messages, in the order of the kinds."""
    found = {kind for schema in schemas.values() for kind in personal_fields(schema).values()}
    return [kind for kind in KINDS if kind in found]


def _fields(schema: Schema, root: Schema, path: str, depth: int, opened: tuple[str, ...]) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        if name in ("event", "command") and depth == 0:
            continue  # the tag: the message's own name
        yield Field(
            path=path + name,
            kind=kind_in_words(field),
            default=None if name in required else json.dumps(field.get("default"), ensure_ascii=False),
            personal=_mark(field),
            depth=depth,
        )
        for suffix, reference in _objects(field):
            if reference not in opened:
                nested = root["$defs"][reference]
                yield from _fields(nested, root, f"{path}{name}{suffix}.", depth + 1, (*opened, reference))


def kind_in_words(field: Schema) -> str:
    """What a field holds: ``string``, ``list of number``, ``Cover or null``, one of these values."""
    if "anyOf" in field:
        return " or ".join(kind_in_words(alternative) for alternative in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {kind_in_words(field.get('items', {}))}"
    if field.get("type") == "object" and isinstance(held := field.get("additionalProperties"), Mapping):
        return f"map to {kind_in_words(held)}"
    if field.get("contentEncoding"):
        return f"{field['contentEncoding']} bytes"
    return str(field.get("type", "anything"))


def _mark(field: Schema) -> PersonalKind | None:
    mark: PersonalKind | None = field.get(KEYWORD)
    return mark or next((found for alternative in field.get("anyOf", ()) if (found := _mark(alternative))), None)


def _objects(field: Schema) -> Iterator[tuple[str, str]]:
    """The definitions a field holds, each with what stands between the field's name and theirs."""
    if "$ref" in field:
        yield "", str(field["$ref"]).rpartition("/")[2]
    for alternative in field.get("anyOf", ()):
        yield from _objects(alternative)
    for keyword, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(held := field.get(keyword), Mapping):
            yield from ((suffix + inner, reference) for inner, reference in _objects(held))
