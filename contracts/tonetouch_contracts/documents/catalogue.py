"""A page for each event: what it means, an example, whose it is, how long it is kept, what of persons is in it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tonetouch_contracts.documents.asyncapi import document_name
from tonetouch_contracts.documents.changelog import versions_of
from tonetouch_contracts.documents.fields import Field, fields_of
from tonetouch_contracts.documents.releases import Release
from tonetouch_contracts.documents.samples import Samples
from tonetouch_contracts.documents.schemas import Schema, event_schemas
from tonetouch_contracts.documents.tables import row
from tonetouch_contracts.manifest import Consumer, Stream
from tonetouch_contracts.personal import MEANINGS
from tonetouch_contracts.subjects import announced

LONGEST = 120
"""Characters of a text that an example on a page shows; the sample itself has all of them."""


def pages(
    streams: Iterable[Stream], consumers: Sequence[Consumer], samples: Samples, releases: Sequence[Release]
) -> dict[str, str]:
    """The pages by wire name."""
    return {
        wire: "\n".join(_page(wire, schema, stream, consumers, samples, versions_of(wire, releases))) + "\n"
        for stream in streams
        for wire, schema in event_schemas(stream).items()
    }


def _page(
    wire: str, schema: Schema, stream: Stream, consumers: Sequence[Consumer], samples: Samples, versions: list[str]
) -> Iterator[str]:
    fields = fields_of(schema)
    yield f"# {wire}\n"
    if successor := schema.get("x-replaced-by"):
        yield f"**Said no more:** [`{successor}`]({successor}.md) took its place; this package reads it as that.\n"
    yield schema["description"].replace("``", "`") + "\n"
    yield from _facts(wire, schema, stream, consumers, versions)
    yield "\n## Personal data\n"
    yield from _personal(fields)
    yield "\n## Fields\n"
    yield from _field_table(fields)
    for name, body in samples.get(wire, {}).items():
        yield f"\n## Example: [{name}](../samples/events/{name})\n"
        yield f"```json\n{json.dumps(_shortened(body), indent=2, ensure_ascii=False)}\n```"


def _facts(
    wire: str, schema: Schema, stream: Stream, consumers: Sequence[Consumer], versions: list[str]
) -> Iterator[str]:
    hearing = [f"`{consumer.name}`" for consumer in consumers if f"{wire}.*" in consumer.filters]
    document = document_name(stream.owner)
    yield row("", "")
    yield "|---|---|"
    yield row("owner", stream.owner)
    yield row("stream", f"{stream.name}: {stream.promise}")
    yield row("subject", f"`{schema['x-subject'].replace('{', '<').replace('}', '>')}`; all of the type: `{wire}.*`")
    yield row("announced on", f"`{announced(wire)}.*` (headers only)")
    yield row("order", "of one entity as it happened; between entities none")
    yield row("delivery", "at least once: one that comes again has the same `ce-id`")
    yield row("kept", "for ever")
    yield row("durable consumers of ours", ", ".join(hearing) or "none")
    yield row("since", _since(versions))
    yield row("schema", f"[JSON Schema](../schemas/events/{wire}.json), [AsyncAPI](../asyncapi/{document})")


def _since(versions: list[str]) -> str:
    if not versions:
        return "not released yet"
    return versions[0] + (f", grown in {', '.join(versions[1:])}" if versions[1:] else "")


def _personal(fields: Sequence[Field]) -> Iterator[str]:
    marked = [field for field in fields if field.personal]
    yield from (f"- `{field.path}`: {MEANINGS[field.personal]}" for field in marked if field.personal)
    if not marked:
        yield "None."


def _field_table(fields: Sequence[Field]) -> Iterator[str]:
    yield "| field | holds | where it is missing |"
    yield "|---|---|---|"
    for field in fields:
        yield row(f"`{field.path}`", field.kind, "never" if field.default is None else f"`{field.default}`")


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_shortened(held) for held in value]
    return f"{value[:LONGEST]}…" if isinstance(value, str) and len(value) > LONGEST else value
