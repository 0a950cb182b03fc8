"""A message may grow only in ways that no reader, old or new, can notice as missing."""

import copy
import json
from typing import Any

import pytest

from tests.contracts.golden import CONTRACTS
from tonetouch_contracts.compatibility import breaking_changes

COMMITTED: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((CONTRACTS / "schemas").rglob("*.json"))
}

each_message = pytest.mark.parametrize("schema", COMMITTED.values(), ids=COMMITTED)


def changed(schema: dict[str, Any], **properties: dict[str, Any]) -> dict[str, Any]:
    """The schema with these properties put in."""
    return {**schema, "properties": {**schema["properties"], **properties}}


@each_message
def test_no_change_breaks_nothing(schema: dict[str, Any]) -> None:
    """A schema is compatible with itself."""
    assert breaking_changes(schema, copy.deepcopy(schema)) == []


@each_message
def test_removing_any_field_is_reported(schema: dict[str, Any]) -> None:
    """Older readers count on every field there is, optional or not."""
    for name in schema["properties"]:
        fewer = copy.deepcopy(schema)
        del fewer["properties"][name]
        fewer["required"] = [other for other in schema.get("required", []) if other != name]
        assert breaking_changes(schema, fewer) == [f"{name} was removed"]


@each_message
def test_a_new_field_needs_a_default(schema: dict[str, Any]) -> None:
    """The log holds messages without the new field: with a default they stay readable, without one they do not."""
    optional = changed(schema, novelty={"type": "string", "default": ""})
    assert breaking_changes(schema, optional) == []
    required = {**optional, "required": [*schema.get("required", []), "novelty"]}
    assert breaking_changes(schema, required) == ["novelty is new and required"]


def test_types_may_not_change_in_either_direction() -> None:
    """What was a number stays a number, null stays allowed or stays forbidden, also inside other objects."""
    play, published = COMMITTED["play.recorded"], COMMITTED["track.published"]
    text = changed(play, heard_seconds={"type": "string"})
    assert breaking_changes(play, text) == ["heard_seconds may no longer be number", "heard_seconds may now be string"]
    nullable = changed(play, heard_seconds={"anyOf": [{"type": "number"}, {"type": "null"}]})
    assert breaking_changes(play, nullable) == ["heard_seconds may now be null"]
    assert breaking_changes(nullable, play) == ["heard_seconds may no longer be null"]
    nested = copy.deepcopy(published)
    nested["$defs"]["Audio"]["properties"]["size_bytes"] = {"type": "string"}
    assert breaking_changes(published, nested) == [
        "audio.size_bytes may no longer be integer",
        "audio.size_bytes may now be string",
    ]


def test_a_field_inside_a_list_or_a_nullable_object_is_watched_too() -> None:
    """Definitions are followed wherever they are used: in lists, behind null, and in the answers of commands."""
    published, listing = COMMITTED["track.published"], COMMITTED["recommend.make-for-you"]
    plain = copy.deepcopy(published)
    del plain["$defs"]["Cover"]["properties"]["alt"]
    assert breaking_changes(published, plain) == ["cover.alt was removed"]
    poorer = copy.deepcopy(listing)
    del poorer["$defs"]["MixTrack"]["properties"]["because"]
    assert breaking_changes(listing, poorer) == ["reply.items[].tracks[].because was removed"]


def test_lists_of_values_are_closed() -> None:
    """A value that is gone cannot be read from the log; a new one is refused by readers that do not know it."""
    old = COMMITTED["ingest.completed"]
    outcomes = old["properties"]["outcome"]["enum"]
    fewer, more = changed(old, outcome={"enum": outcomes[1:]}), changed(old, outcome={"enum": [*outcomes, "withdrawn"]})
    assert breaking_changes(old, fewer) == [f"outcome may no longer be {outcomes[0]!r}"]
    assert breaking_changes(old, more) == ["outcome may now be 'withdrawn'"]


def test_defaults_and_requirements_are_part_of_the_meaning() -> None:
    """Silence in an old message means the old default; a field that was always there stays there."""
    old = COMMITTED["recommend.search-tracks"]
    assert breaking_changes(old, changed(old, limit={"type": "integer", "default": 10})) == [
        "limit has another default"
    ]
    assert breaking_changes(old, {**old, "required": [*old["required"], "limit"]}) == ["limit became required"]
    assert breaking_changes(old, {**old, "required": ["command"]}) == ["query became optional"]


def test_constraints_and_encodings_may_not_change() -> None:
    """A replay meets values from before the constraint, and bytes written in the encoding of their day."""
    old = COMMITTED["embedding.done"]
    bounded = changed(old, passage={"type": "integer", "minimum": 0})
    assert breaking_changes(old, bounded) == ["passage: minimum was None and is 0"]
    assert breaking_changes(old, changed(old, vector={"type": "string"})) == [
        "vector: contentEncoding was 'base64' and is None"
    ]
    closed = {**old, "additionalProperties": False}
    assert breaking_changes(old, closed) == ["the message: additionalProperties was None and is False"]


def test_words_and_names_of_definitions_may_change() -> None:
    """Better titles and descriptions, and another name for a shared definition, change nothing on the wire."""
    old = COMMITTED["track.published"]
    renamed = json.loads(json.dumps(old).replace("Cover", "Sleeve"))
    assert breaking_changes(old, {**renamed, "title": "A", "description": "B", "x-stream": "C"}) == []


def test_a_definition_that_holds_itself_is_compared_to_its_end() -> None:
    """Recursive shapes are followed once, and a change inside them is found."""
    comment = {"type": "object", "properties": {"text": {"type": "string"}, "answer": {"$ref": "#/$defs/Comment"}}}
    old = {"$ref": "#/$defs/Comment", "$defs": {"Comment": comment}}
    new = json.loads(json.dumps(old).replace('"string"', '"integer"'))
    assert breaking_changes(old, copy.deepcopy(old)) == []
    assert breaking_changes(old, new) == ["text may no longer be string", "text may now be integer"]


def test_alternatives_are_told_apart_by_their_tag() -> None:
    """Among several objects, one that leaves or joins is reported by its tag, and the others are compared alike."""

    def tagged(tag: str, **fields: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"kind": {"enum": [tag]}, **fields}, "required": ["kind"]}

    old = {"anyOf": [tagged("song"), tagged("album", year={"type": "integer"})]}
    assert breaking_changes(old, {"anyOf": [tagged("album", year={"type": "integer"}), tagged("song")]}) == []
    assert breaking_changes(old, {"anyOf": [tagged("song"), tagged("album")]}) == ["year was removed"]
    assert breaking_changes(old, {"anyOf": [tagged("song"), tagged("artist")]}) == [
        "the message may no longer be object 'album'",
        "the message may now be object 'artist'",
    ]
