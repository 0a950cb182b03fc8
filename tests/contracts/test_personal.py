"""What of persons stands in the events is marked where it is declared, and shown wherever other teams look."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.golden import CONTRACTS
from tests.contracts.songs import LATER
from tonetouch_contracts.documents.asyncapi import document_name
from tonetouch_contracts.documents.fields import fields_of, kinds_in, personal_fields
from tonetouch_contracts.documents.schemas import event_schemas
from tonetouch_contracts.manifest import EVENTS, STREAMS, VOCABULARY, Stream, stream_of
from tonetouch_contracts.message import Event
from tonetouch_contracts.personal import KINDS, MEANINGS
from tonetouch_contracts.playlist import PlaylistRenamed

SCHEMAS: dict[str, dict[str, Any]] = {
    wire: schema for stream in STREAMS for wire, schema in event_schemas(stream).items()
}
OF_PERSONS = re.compile(r"(user|user_id|uploaded_by|said_by|file_name|e_?mail|phone|address|birth.*|ip)")

each_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.wire_name())
each_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)


@pytest.mark.parametrize(
    ("wire", "marks"),
    [
        ("track.uploaded", {"uploaded_by": "id", "file_name": "words"}),
        ("track.related", {"reason": "words", "said_by": "id"}),
        ("play.recorded", {"user_id": "id", "track_id": "conduct", "heard_seconds": "conduct", "at": "conduct"}),
        ("playlist.renamed", {"user_id": "id", "name": "words"}),
        ("job.recorded", {"user": "id"}),
        ("track.published", {}),
    ],
)
def test_marks_are_on_the_fields_that_say_something_about_a_person(wire: str, marks: dict[str, str]) -> None:
    """Ids of persons, what they wrote and what they did; what is known of a published work is about nobody."""
    assert personal_fields(SCHEMAS[wire]) == marks


@each_event
def test_no_field_that_sounds_like_a_person_is_without_a_mark(event: type[Event]) -> None:
    """A new field with one of these names is a person's until somebody has thought about it."""
    fields = fields_of(SCHEMAS[event.wire_name()])
    unmarked = [field.path for field in fields if OF_PERSONS.fullmatch(field.path.rpartition(".")[2])]
    assert [path for path in unmarked if path not in personal_fields(SCHEMAS[event.wire_name()])] == []


@each_event
def test_what_a_person_did_stands_beside_who_it_was(event: type[Event]) -> None:
    """Conduct and words without an id could never be found again when the person asks to be forgotten."""
    marks = set(personal_fields(SCHEMAS[event.wire_name()]).values())
    assert not marks or "id" in marks


@each_event
def test_the_marks_are_shown_on_the_page_and_in_the_document(event: type[Event]) -> None:
    """Catalogue page and AsyncAPI document name each marked field, and only those."""
    wire, marks = event.wire_name(), personal_fields(SCHEMAS[event.wire_name()])
    document = json.loads((CONTRACTS / "asyncapi" / document_name(stream_of(event).owner)).read_text("utf-8"))
    assert document["components"]["messages"][wire]["x-personal-data"] == marks
    page = (CONTRACTS / f"catalogue/{wire}.md").read_text("utf-8")
    told = page.partition("## Personal data\n")[2].partition("\n## ")[0].strip().splitlines()
    assert told == ([f"- `{path}`: {MEANINGS[kind]}" for path, kind in marks.items()] or ["None."])


@each_stream
def test_a_stream_tells_what_of_persons_is_in_it(stream: Stream) -> None:
    """Its row in the README and its promise in the document follow from the marks of its events."""
    kinds = kinds_in(event_schemas(stream))
    document = json.loads((CONTRACTS / "asyncapi" / document_name(stream.owner)).read_text("utf-8"))
    assert document["x-streams"][stream.name]["personal-data"] == kinds
    (row,) = re.findall(rf"^\| {stream.name} \|.*$", (CONTRACTS / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [kind for kind in KINDS if MEANINGS[kind] in row] == kinds


def test_a_mark_behind_null_is_a_mark() -> None:
    """A person who may be missing is marked like one who is there."""
    assert personal_fields(event_schemas(LATER)["song.rated-v2"]) == {"rated_by": "id"}


@given(st.text())
def test_a_mark_changes_nothing_on_the_wire(name: str) -> None:
    """Any words are still any words: a mark says something about a field and constrains nothing."""
    event = PlaylistRenamed.wire_name()
    body = json.dumps({"event": event, "playlist_id": "p", "user_id": name, "name": name}).encode("utf-8", "replace")
    decoded = VOCABULARY.decode(event, body)
    assert isinstance(decoded, PlaylistRenamed)
    assert decoded.name == decoded.user_id == json.loads(body)["name"]
