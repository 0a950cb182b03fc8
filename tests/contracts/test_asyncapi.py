"""The AsyncAPI documents are what the official parser takes, and what is on the wire."""

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator

from tests import javascript
from tests.contracts.golden import CONTRACTS, EVENT_SAMPLES, wire_name
from tonetouch_contracts.documents.asyncapi import asyncapi_document, document_name, envelope_schema
from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.manifest import EVENTS, STREAMS, Stream, stream_of
from tonetouch_contracts.message import Event
from tonetouch_deploy.nats_accounts import READER_PERMISSIONS
from tonetouch_runtime.provisioning import truth_config

PATHS = sorted((CONTRACTS / "asyncapi").glob("*.json"))
DOCUMENTS: dict[str, dict[str, Any]] = {path.name: json.loads(path.read_text("utf-8")) for path in PATHS}
NEWER_EXISTS = "asyncapi-latest-version"

each_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
each_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.wire_name())
each_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)


def document_of(stream: Stream) -> dict[str, Any]:
    return DOCUMENTS[document_name(stream.owner)]


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft7Validator:
    """For a schema in a document; only its components are there to be referred to."""
    return Draft7Validator({"components": {"schemas": document["components"]["schemas"]}, **schema})


def spoiled() -> Iterator[tuple[str, dict[str, Any]]]:
    """A document that lacks a parameter, and one that does with an event what nobody can."""
    lacking, shouting = (copy.deepcopy(DOCUMENTS["recommend.json"]) for _ in range(2))
    lacking["channels"]["list.served"]["parameters"] = {}
    shouting["operations"]["say.list.served"]["action"] = "shout"
    yield "lacking.json", lacking
    yield "shouting.json", shouting


@pytest.fixture(scope="module", name="said")
def _said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the official parser says of each document, the committed and the spoiled ones, by file name."""
    node = javascript.node()
    if node is None:
        pytest.skip("the official parser needs Node.js and npm")
    paths, folder = list(PATHS), tmp_path_factory.mktemp("spoiled")
    for name, document in spoiled():
        (folder / name).write_text(json.dumps(document), "utf-8")
        paths.append(folder / name)
    program = javascript.installed(javascript.ASYNCAPI) / "parse.mjs"
    run = subprocess.run([node, program, *paths], capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stderr
    return {Path(found["path"]).name: found for found in json.loads(run.stdout)}


def complaints(said: dict[str, Any]) -> list[str]:
    return [f"{found['at']}: {found['message']}" for found in said["diagnostics"] if found["code"] != NEWER_EXISTS]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_official_parser_takes_the_document(name: str, said: dict[str, Any]) -> None:
    """Not one error, warning or hint but that a newer AsyncAPI exists; and it finds all channels and messages."""
    found, document = said[name], DOCUMENTS[name]
    assert complaints(found) == []
    assert sorted(found["addresses"]) == sorted(channel["address"] for channel in document["channels"].values())
    assert sorted(found["messages"]) == sorted(document["components"]["messages"])
    assert found["sends"] == len(document["operations"])


def test_the_official_parser_would_say_what_is_wrong(said: dict[str, Any]) -> None:
    """A channel without its parameter and an operation of no known kind are both found: the check can fail."""
    assert any("list_id" in complaint for complaint in complaints(said["lacking.json"]))
    assert any("action" in complaint for complaint in complaints(said["shouting.json"]))


@each_event
def test_an_event_is_in_the_document_of_its_owner_and_no_other(event: type[Event]) -> None:
    """Channel, message, operation and schema stand where a team looks for them: with whoever says the event."""
    wire, stream = event.wire_name(), stream_of(event)
    assert [name for name, document in DOCUMENTS.items() if wire in document["channels"]] == [
        document_name(stream.owner)
    ]
    document = document_of(stream)
    assert document["channels"][wire]["address"] == f"{wire}.{{{event.entity_field}}}"
    assert document["channels"][wire]["x-stream"] == stream.name
    assert document["operations"][f"say.{wire}"]["action"] == "send"
    assert wire in document["components"]["schemas"]


@each_document
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """Nothing points outside of the document, or at what is not in it."""

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for held in value.values():
                yield from references(held)
        elif isinstance(value, list):
            for held in value:
                yield from references(held)

    for reference in set(references(document)):
        place: Any = document
        assert reference.startswith("#/")
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


@pytest.mark.parametrize("sample", EVENT_SAMPLES, ids=lambda sample: sample.name)
def test_what_is_on_the_wire_passes_the_document(sample: Path) -> None:
    """A team that validates with the document alone takes every golden body, and finds it there as an example."""
    wire = wire_name(sample)
    (document,) = (document for document in DOCUMENTS.values() if wire in document["channels"])
    message, body = document["components"]["messages"][wire], json.loads(sample.read_bytes())
    validator(document, message["payload"]).validate(body)
    (example,) = (example for example in message["examples"] if example["name"] == sample.name)
    assert example["payload"] == body
    validator(document, message["headers"]).validate(example["headers"])
    assert Envelope.from_headers(example["headers"]).type == wire


def test_the_headers_are_those_we_write() -> None:
    """The envelope's schema takes what is written for an event with nothing optional, and misses each header of it."""
    bare = Envelope(id="1", type="track.rejected", source="/catalog/track", subject="2", time="2026-01-31T12:00:00Z")
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    full = msgspec.structs.replace(bare, causation="3", correlation="4", traceparent=traceparent)
    headers = Draft7Validator(envelope_schema())
    assert set(envelope_schema()["properties"]) == set(full.to_headers())
    assert headers.is_valid(bare.to_headers())
    for name in bare.to_headers():
        assert not headers.is_valid({key: value for key, value in bare.to_headers().items() if key != name})


def test_another_types_name_in_the_headers_is_refused() -> None:
    """The headers of a message are of its type: a reader that validates them cannot take one event for another."""
    document = DOCUMENTS["catalog.json"]
    (example,) = document["components"]["messages"]["track.rejected"]["examples"]
    headers = validator(document, document["components"]["messages"]["track.rejected"]["headers"])
    assert headers.is_valid(example["headers"])
    assert not headers.is_valid({**example["headers"], "ce-type": "track.published"})


@each_stream
def test_what_is_promised_of_a_stream_is_how_it_is_set_up(stream: Stream) -> None:
    """Retention, age, deletion and subjects in the document are those the server is given."""
    promised, config = document_of(stream)["x-streams"][stream.name], truth_config(stream)
    assert promised["promise"] == stream.promise
    for name, value in promised["configuration"].items():
        set_up = getattr(config, name)
        assert (set_up or 0 if name == "max_age" else set_up) == value, name


@each_stream
def test_another_team_may_read_as_the_document_says(stream: Stream) -> None:
    """The subjects to ask and to listen on are among those which the reader's account is allowed, and served."""
    document, allowed = document_of(stream), READER_PERMISSIONS
    promised = document["x-streams"][stream.name]
    assert promised["read-with"] in allowed.publish
    assert promised["announced-on"] in allowed.subscribe
    republish = truth_config(stream).republish
    assert republish is not None
    assert republish.dest == promised["announced-on"]
    for wire in (event.wire_name() for event in stream.says):
        channel = document["channels"][wire]
        assert channel["x-announced"] == f"log.{channel['address']}"


def test_two_shapes_of_one_name_cannot_share_a_document() -> None:
    """Where two events hold different things under one name, the document could show only one: it is refused."""
    first, second = (msgspec.defstruct("Stars", [("given", kind)]) for kind in (int, str))

    class SongRated(Event, frozen=True, kw_only=True, tag="song.rated"):
        entity_field = "song_id"
        song_id: str
        stars: first  # type: ignore[valid-type]

    class SongPraised(Event, frozen=True, kw_only=True, tag="song.praised"):
        entity_field = "song_id"
        song_id: str
        stars: second  # type: ignore[valid-type]

    streams = [Stream(name="SONGS", owner="critic", says=(SongRated, SongPraised), promise="What critics say.")]
    with pytest.raises(ValueError, match="two shapes are called Stars"):
        asyncapi_document("critic", streams, {}, "1.0.0")
