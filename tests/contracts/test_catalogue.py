"""Each event has a page that tells another team what it may rely on."""

import json
import re
from typing import Any

import pytest

from tests.contracts.golden import CONTRACTS, EVENT_SAMPLES, wire_name
from tonetouch_contracts.documents.catalogue import LONGEST
from tonetouch_contracts.documents.fields import Field, fields_of
from tonetouch_contracts.documents.schemas import first_sentence
from tonetouch_contracts.manifest import CONSUMERS, EVENTS, stream_of
from tonetouch_contracts.message import Event

each_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.wire_name())


def page_of(wire: str) -> str:
    return (CONTRACTS / f"catalogue/{wire}.md").read_text("utf-8")


def schema_of(wire: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((CONTRACTS / f"schemas/events/{wire}.json").read_text("utf-8"))
    return schema


def fact(page: str, name: str) -> str:
    """The value in the row of this name."""
    (found,) = re.findall(rf"^\| {name} \| (.*) \|$", page, re.MULTILINE)
    return str(found)


def like(shown: Any, value: Any) -> bool:
    """Whether an example is the sample, but for long texts that were cut."""
    if isinstance(value, dict):
        return isinstance(shown, dict) and shown.keys() == value.keys() and all(like(shown[k], value[k]) for k in value)
    if isinstance(value, list):
        return len(shown) == len(value) and all(like(one, other) for one, other in zip(shown, value, strict=True))
    return bool(shown == value or (len(value) > LONGEST and shown == value[:LONGEST] + "…"))


@each_event
def test_a_page_tells_meaning_owner_retention_and_where_to_listen(event: type[Event]) -> None:
    """What every page has, in the words of the manifest and of the event itself."""
    wire, stream = event.wire_name(), stream_of(event)
    page = page_of(wire)
    assert page.startswith(f"# {wire}\n\n{first_sentence(schema_of(wire)['description'])[:60]}")
    assert fact(page, "owner") == stream.owner
    assert fact(page, "stream").startswith(f"{stream.name}: ")
    assert f"`{wire}.<{event.entity_field}>`" in fact(page, "subject")
    assert fact(page, "kept") == "for ever"
    assert re.match(r"0\.[0-9]+\.0|not released yet", fact(page, "since"))


@each_event
def test_a_page_tells_who_of_us_reacts(event: type[Event]) -> None:
    """Another team sees which services act on an event they think of causing."""
    wire = event.wire_name()
    hearing = {consumer.name for consumer in CONSUMERS if f"{wire}.*" in consumer.filters}
    assert set(re.findall(r"`([a-z-]+)`", fact(page_of(wire), "durable consumers of ours"))) == hearing


@each_event
def test_a_page_lists_every_field(event: type[Event]) -> None:
    """All fields, nested ones too, each with what it holds and what its silence means."""
    wire = event.wire_name()
    table = page_of(wire).partition("## Fields\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == [field.path for field in fields_of(schema_of(wire))]


@each_event
def test_a_page_shows_the_golden_samples(event: type[Event]) -> None:
    """Every sample is there, cut only where a text is long, and the link beside it leads to the whole."""
    wire = event.wire_name()
    samples = {sample.name: sample for sample in EVENT_SAMPLES if wire_name(sample) == wire}
    examples = dict(re.findall(r"## Example: \[(\S+)\]\(\S+\)\n\n```json\n(.*?)\n```", page_of(wire), re.DOTALL))
    assert examples.keys() == samples.keys()
    for name, example in examples.items():
        assert like(json.loads(example), json.loads(samples[name].read_text("utf-8")))


def test_every_link_leads_to_a_file() -> None:
    """Of the pages, the changelog and the README alike."""
    documents = [*(CONTRACTS / "catalogue").glob("*.md"), CONTRACTS / "README.md", CONTRACTS / "CHANGELOG.md"]
    links = [(document, link) for document in documents for link in re.findall(r"\]\(([^)#]+)\)", document.read_text())]
    assert len(links) > 4 * len(EVENTS)
    assert [link for document, link in links if "://" not in link and not (document.parent / link).exists()] == []


def test_fields_are_told_in_words() -> None:
    """Lists, objects, null, values and bytes, wherever they stand."""
    schema = {
        "properties": {
            "event": {"enum": ["song.sung"]},
            "song_id": {"type": "string"},
            "voices": {"type": "array", "items": {"$ref": "#/$defs/Voice"}, "default": []},
            "key": {"anyOf": [{"enum": ["C", "D"]}, {"type": "null"}], "default": None},
            "print": {"type": "string", "contentEncoding": "base64"},
            "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "required": ["song_id", "print", "counts"],
        "$defs": {
            "Voice": {
                "properties": {
                    "name": {"type": "string", "x-personal": "words"},
                    "echo": {"anyOf": [{"$ref": "#/$defs/Voice"}, {"type": "null"}], "default": None},
                },
                "required": ["name"],
            }
        },
    }
    assert fields_of(schema) == [
        Field(path="song_id", kind="string", default=None, personal=None, depth=0),
        Field(path="voices", kind="list of Voice", default="[]", personal=None, depth=0),
        Field(path="voices[].name", kind="string", default=None, personal="words", depth=1),
        Field(path="voices[].echo", kind="Voice or null", default="null", personal=None, depth=1),
        Field(path="key", kind="one of `C`, `D` or null", default="null", personal=None, depth=0),
        Field(path="print", kind="base64 bytes", default=None, personal=None, depth=0),
        Field(path="counts", kind="map to integer", default=None, personal=None, depth=0),
    ]
