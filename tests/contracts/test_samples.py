"""What was once written stays readable: a golden sample of each event, command and reply."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from tests.contracts.golden import COMMAND_SAMPLES, CONTRACTS, EVENT_SAMPLES, is_reply, wire_name
from tonetouch_contracts.documents.schemas import every_command
from tonetouch_contracts.manifest import EVENTS, VOCABULARY
from tonetouch_contracts.message import Problem
from tonetouch_contracts.upload import EmbeddingDone
from tonetouch_contracts.vocabulary import Unknown

COMMANDS = {command.wire_name(): command for command in every_command()}

each_event = pytest.mark.parametrize("sample", EVENT_SAMPLES, ids=lambda sample: sample.name)
each_command = pytest.mark.parametrize(
    "sample", [sample for sample in COMMAND_SAMPLES if not is_reply(sample)], ids=lambda sample: sample.name
)
each_reply = pytest.mark.parametrize(
    "sample", [sample for sample in COMMAND_SAMPLES if is_reply(sample)], ids=lambda sample: sample.name
)


def lost(sample: Any, encoded: Any, path: str = "") -> Iterator[str]:
    """Where the encoded form lacks or changes something of the sample; what it has beyond it is a default."""
    if isinstance(sample, dict) and isinstance(encoded, dict):
        for name, value in sample.items():
            if name not in encoded:
                yield f"{path}.{name}"
            else:
                yield from lost(value, encoded[name], f"{path}.{name}")
    elif isinstance(sample, list) and isinstance(encoded, list) and len(sample) == len(encoded):
        for index, (before, after) in enumerate(zip(sample, encoded, strict=True)):
            yield from lost(before, after, f"{path}[{index}]")
    elif sample != encoded:
        yield path


def schema_of(kind: str, name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((CONTRACTS / "schemas" / kind / f"{name}.json").read_text("utf-8"))
    return schema


def unnamed_fields(shape: type[msgspec.Struct], samples: list[Path]) -> set[str]:
    named = {name for sample in samples for name in json.loads(sample.read_text("utf-8"))}
    return set(shape.__struct_encode_fields__) - named


def test_the_comparison_of_a_sample_with_its_encoded_form_sees_what_is_lost() -> None:
    """A key that is gone, a value that changed and a list that shrank are all reported; an added key is not."""
    sample = {"a": 1, "b": {"c": "x"}, "d": [1, 2]}
    assert list(lost(sample, {"b": {"c": "y"}, "d": [1], "new": None})) == [".a", ".b.c", ".d"]
    assert list(lost(sample, {**sample, "new": None})) == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.wire_name())
def test_every_field_of_an_event_stands_in_a_sample(event: type[msgspec.Struct]) -> None:
    """All of an event's fields are in its samples: one that is removed later is missed only if a sample holds it."""
    wire = str(event.__struct_config__.tag)
    assert unnamed_fields(event, [sample for sample in EVENT_SAMPLES if wire_name(sample) == wire]) == set()


@pytest.mark.parametrize("wire", COMMANDS)
def test_every_field_of_a_command_and_its_reply_stands_in_a_sample(wire: str) -> None:
    """Each command has a sample with all its fields, and at least one sample of what it is answered with."""
    samples = [sample for sample in COMMAND_SAMPLES if wire_name(sample) == wire]
    assert unnamed_fields(COMMANDS[wire], [sample for sample in samples if not is_reply(sample)]) == set()
    assert [sample for sample in samples if is_reply(sample)]


@each_event
def test_an_event_written_then_is_read_now(sample: Path) -> None:
    """A body from the log decodes to a known event, and encoding it again loses nothing."""
    body = sample.read_bytes()
    event = VOCABULARY.decode(wire_name(sample), body)
    assert not isinstance(event, Unknown)
    if event.wire_name() == wire_name(sample):  # an upcast one is another shape on purpose
        assert list(lost(json.loads(body), json.loads(msgspec.json.encode(event)))) == []


@each_event
def test_an_event_sample_is_what_its_schema_says(sample: Path) -> None:
    """Readers in other languages validate with the schema; what we write passes."""
    Draft202012Validator(schema_of("events", wire_name(sample))).validate(json.loads(sample.read_bytes()))


@each_command
def test_a_command_is_read_and_matches_its_schema(sample: Path) -> None:
    """A request as it was sent decodes to its command, loses nothing, and passes the schema."""
    body = sample.read_bytes()
    command = msgspec.json.decode(body, type=COMMANDS[wire_name(sample)])
    assert list(lost(json.loads(body), json.loads(msgspec.json.encode(command)))) == []
    Draft202012Validator(schema_of("commands", wire_name(sample))).validate(json.loads(body))


@each_reply
def test_a_reply_is_read_and_matches_its_schema(sample: Path) -> None:
    """An answer decodes to the reply type its command declares, loses nothing, and passes the command's ``x-reply``."""
    body = sample.read_bytes()
    reply = msgspec.json.decode(body, type=COMMANDS[wire_name(sample)].reply_type())
    assert list(lost(json.loads(body), json.loads(msgspec.json.encode(reply)))) == []
    schema = schema_of("commands", wire_name(sample))
    Draft202012Validator({"$defs": schema["$defs"], **schema["x-reply"]}).validate(json.loads(body))


def test_a_problem_is_read_and_matches_its_schema() -> None:
    """The one answer that any command may get has a sample and a schema of its own."""
    body = (CONTRACTS / "samples/problem.json").read_bytes()
    assert msgspec.json.decode(body, type=Problem).next_step
    Draft202012Validator(json.loads((CONTRACTS / "schemas/problem.json").read_bytes())).validate(json.loads(body))


def test_a_vector_is_as_long_as_it_says() -> None:
    """A vector is little-endian float16: two bytes for each of its dimensions."""
    event = VOCABULARY.decode("embedding.done", (CONTRACTS / "samples/events/embedding.done.json").read_bytes())
    assert isinstance(event, EmbeddingDone)
    assert len(event.vector) == 2 * event.dimension
