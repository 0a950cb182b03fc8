"""AsyncAPI 3 documents: what each stream owner says, for tools that know nothing of this package.

A channel is a subject template; its message has the CloudEvents headers, the body's schema and the golden samples.
AsyncAPI's binding for NATS knows nothing of streams, so their promises stand under ``x-streams``. Schemas are in
AsyncAPI's own dialect (a superset of JSON Schema draft-07), since its parsers do not take newer drafts.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

from tonetouch_contracts.documents.fields import kinds_in, personal_fields
from tonetouch_contracts.documents.samples import Samples
from tonetouch_contracts.documents.schemas import Schema, event_schemas, first_sentence
from tonetouch_contracts.envelope import CONTENT_TYPE, SPEC_VERSION, Envelope
from tonetouch_contracts.identity import derived
from tonetouch_contracts.manifest import Stream
from tonetouch_contracts.subjects import announced

ENVELOPE = "envelope"
SERVER = "installation"

_LEFT_OUT = frozenset({"$schema", "$id", "$defs"})
_EXAMPLE_TIME = "2026-01-31T12:00:00.000000Z"


def document_name(owner: str) -> str:
    """The file of an owner's document below ``asyncapi/``."""
    return f"{owner.replace(' ', '-')}.json"


def owned(streams: Iterable[Stream]) -> dict[str, list[Stream]]:
    """Streams by owner, in the order of the manifest."""
    owners: dict[str, list[Stream]] = {}
    for stream in streams:
        owners.setdefault(stream.owner, []).append(stream)
    return owners


def asyncapi_document(owner: str, streams: Sequence[Stream], samples: Samples, version: str) -> Schema:
    """The document of one owner. `version` is that of the newest release of the contracts."""
    schemas = {stream.name: event_schemas(stream) for stream in streams}
    shapes = {wire: schema for events in schemas.values() for wire, schema in events.items()}
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:tonetouch:{owner.replace(' ', '-')}",
        "info": _info(owner, streams, version),
        "defaultContentType": CONTENT_TYPE,
        "servers": {SERVER: _server()},
        "channels": {wire: _channel(wire, schema) for wire, schema in shapes.items()},
        "operations": {
            f"say.{wire}": _operation(wire, schema) for wire, schema in shapes.items() if not schema.get("deprecated")
        },
        "components": {
            "schemas": {ENVELOPE: envelope_schema(), **_component_schemas(shapes)},
            "messages": {wire: _message(owner, wire, schema, samples) for wire, schema in shapes.items()},
            "securitySchemes": {"account": _account()},
        },
        "x-streams": {stream.name: _promises(stream, schemas[stream.name]) for stream in streams},
    }


def _info(owner: str, streams: Sequence[Stream], version: str) -> Schema:
    names = " and ".join(stream.name for stream in streams)
    return {
        "title": f"What {owner} says",
        "version": version,
        "description": f"The events of Tone Touch Music that {owner} appends to {names}. Each is a fact: it is never "
        "changed and never removed, and may grow by fields that have a default: ignore types and fields you do not "
        "know. Read the streams in order with direct gets, from any sequence on; what is new is announced by its "
        "headers, with its stream and sequence.",
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        "tags": [{"name": stream.name, "description": stream.promise} for stream in streams],
    }


def _server() -> Schema:
    return {
        "host": "{host}:{port}",
        "protocol": "nats",
        "description": "The NATS server of an installation, with JetStream.",
        "variables": {
            "host": {"default": "127.0.0.1", "description": "Where the installation runs."},
            "port": {"default": "4222", "description": "NATS's own port, where nothing else was set."},
        },
        "security": [{"$ref": "#/components/securitySchemes/account"}],
    }


def _account() -> Schema:
    return {
        "type": "userPassword",
        "description": "The user for other teams: it reads the streams, hears what is new, and can do nothing else.",
    }


def _channel(wire: str, schema: Schema) -> Schema:
    entity = schema["x-subject"].rpartition("{")[2].removesuffix("}")
    return {
        "address": schema["x-subject"],
        "title": wire,
        "summary": first_sentence(schema["description"]),
        "servers": [{"$ref": f"#/servers/{SERVER}"}],
        "messages": {wire: {"$ref": f"#/components/messages/{wire}"}},
        "parameters": {
            entity: {
                "description": f"The entity the event is about; `*` for all, and `*.*.<{entity}>` for its whole life.",
                "location": f"$message.payload#/{entity}",
            }
        },
        "tags": [{"name": schema["x-stream"]}],
        "x-stream": schema["x-stream"],
        "x-filter": f"{wire}.*",
        "x-announced": announced(schema["x-subject"]),
        **({"x-replaced-by": schema["x-replaced-by"]} if schema.get("deprecated") else {}),
    }


def _operation(wire: str, schema: Schema) -> Schema:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{wire}"},
        "summary": first_sentence(schema["description"]),
        "messages": [{"$ref": f"#/channels/{wire}/messages/{wire}"}],
    }


def _message(owner: str, wire: str, schema: Schema, samples: Samples) -> Schema:
    return {
        "name": wire,
        "title": wire,
        "summary": first_sentence(schema["description"]),
        "description": schema["description"],
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "allOf": [
                {"$ref": f"#/components/schemas/{ENVELOPE}"},
                {"type": "object", "properties": {"ce-type": {"type": "string", "const": wire}}},
            ],
        },
        "correlationId": {
            "description": "The same on all that one request led to.",
            "location": "$message.header#/ce-correlationid",
        },
        "payload": {"$ref": f"#/components/schemas/{wire}"},
        "examples": [
            {"name": name, "headers": _example_headers(owner, wire, schema, body), "payload": body}
            for name, body in samples.get(wire, {}).items()
        ],
        "x-personal-data": personal_fields(schema),
    }


def _example_headers(owner: str, wire: str, schema: Schema, body: Schema) -> dict[str, str]:
    entity = schema["x-subject"].rpartition("{")[2].removesuffix("}")
    service = "agents" if owner == "every service" else owner
    return Envelope(
        id=derived("example", wire, body[entity]),
        type=wire,
        source=f"/{service}/{wire.partition('.')[0]}",
        subject=body[entity],
        time=_EXAMPLE_TIME,
        causation=derived("example", "cause", wire),
        correlation=derived("example", "correlation", wire),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ).to_headers()


def envelope_schema() -> Schema:
    """The headers of every event: CloudEvents 1.0 in binary mode, trace context, and the id that stops repeats."""
    text: Schema = {"type": "string"}
    properties = {
        "ce-specversion": {**text, "const": SPEC_VERSION},
        "ce-id": {**text, "description": "The event's id; one that comes again with the same id is the same event."},
        "ce-type": {**text, "description": "The wire name: noun and verb of the subject."},
        "ce-source": {**text, "description": "`/<service>/<noun>`: who said it of what kind of thing."},
        "ce-subject": {**text, "description": "The entity: the last token of the subject."},
        "ce-time": {**text, "format": "date-time", "description": "When it was said, in UTC."},
        "ce-datacontenttype": {**text, "const": CONTENT_TYPE},
        "ce-causationid": {**text, "description": "The id of the message that led to this one."},
        "ce-correlationid": {**text, "description": "The same on all that one request led to."},
        "traceparent": {
            **text,
            "description": "W3C trace context of when it was said: link to it, do not join it.",
        },
        "Nats-Msg-Id": {**text, "description": "The same as `ce-id`."},
    }
    said_always = [name for name in properties if name not in ("ce-causationid", "ce-correlationid", "traceparent")]
    return {
        "type": "object",
        "title": "envelope",
        "description": "CloudEvents 1.0 in binary mode. Values are percent-encoded outside printable ASCII; read names "
        "whatever their case, and expect further headers.",
        "properties": properties,
        "required": said_always,
    }


def _component_schemas(shapes: dict[str, Schema]) -> dict[str, Schema]:
    """Bodies under their wire names, and once each what they share."""
    components: dict[str, Schema] = {}
    for wire, schema in shapes.items():
        for name, definition in {wire: schema, **schema.get("$defs", {})}.items():
            component = _referring_to_components(definition)
            if components.setdefault(name, component) != component:
                raise ValueError(f"two shapes are called {name}, and one document cannot hold both")
    return components


def _referring_to_components(schema: Schema) -> Schema:
    kept = {keyword: value for keyword, value in schema.items() if keyword not in _LEFT_OUT}
    return cast(Schema, json.loads(json.dumps(kept).replace('"#/$defs/', '"#/components/schemas/')))


def _promises(stream: Stream, schemas: dict[str, Schema]) -> dict[str, Any]:
    return {
        "owner": stream.owner,
        "promise": stream.promise,
        "order": "Events of one entity come in the order they happened; no order between entities or streams.",
        "delivery": "At least once: one that comes again has the same ce-id.",
        "kept": "For ever; nothing is changed or removed.",
        "personal-data": kinds_in(schemas),
        "read-with": f"$JS.API.DIRECT.GET.{stream.name}",
        "announced-on": announced(">"),
        "configuration": {
            "name": stream.name,
            "subjects": stream.subjects,
            "storage": "file",
            "retention": "limits",
            "max_age": 0,
            "discard": "new",
            "deny_delete": True,
            "deny_purge": True,
            "allow_direct": True,
        },
    }
