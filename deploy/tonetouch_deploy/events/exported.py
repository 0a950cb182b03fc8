"""An event outside the log: a CloudEvent in JSON, one to a line, from which the message can be made again exactly.

Beside the attributes of the event stand four of ours that say where it stood. A message that is not quite an event
(headers that nobody here writes, or a body that is no JSON) is kept too, with its headers as they are or its body as
base64.
"""

import base64
from collections.abc import Mapping
from typing import Self

import msgspec
from msgspec import UNSET, UnsetType

from tonetouch_contracts.envelope import SPEC_VERSION, Envelope
from tonetouch_deploy.events.stored import Stored

_OF_THE_APPEND = ("Nats-Expected-", "Nats-Batch-")
"""Headers that guarded the append, and say nothing of the event."""
_OF_THE_SERVER = frozenset(
    {"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence"}
)
_ATTRIBUTES = ("id", "type", "source", "subject", "time", "traceparent")


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """One line: the event, and where it stood in the log. `natsheaders` only where the attributes do not say them."""

    natsstream: str
    natssequence: int
    natssubject: str
    natstime: str
    specversion: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    time: str | UnsetType = UNSET
    datacontenttype: str | UnsetType = UNSET
    causationid: str | UnsetType = UNSET
    correlationid: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    data_base64: str | UnsetType = UNSET
    natsheaders: dict[str, str] | UnsetType = UNSET

    @classmethod
    def of(cls, event: Stored) -> Self:
        """A message of the log as a line."""
        place = {
            "natsstream": event.stream,
            "natssequence": event.sequence,
            "natssubject": event.subject,
            "natstime": event.stored_at,
        }
        headers = _told(event.headers)
        body = {"data": msgspec.Raw(event.body)} if _is_a_line_of_json(event.body) else _as_base64(event.body)
        if event.envelope is None:
            return cls(**place, **body, natsheaders=headers)  # type: ignore[arg-type]
        said = _attributes(event.envelope)
        if headers != event.envelope.to_headers():
            said["natsheaders"] = headers
        return cls(**place, **body, **said)  # type: ignore[arg-type]

    @property
    def headers(self) -> dict[str, str]:
        """What the message is to be published with. Raises ValueError where the line does not say it."""
        if self.natsheaders is not UNSET:
            return self.natsheaders
        said = {name: getattr(self, name) for name in _ATTRIBUTES}
        said |= {"causation": self.causationid, "correlation": self.correlationid}
        if UNSET in (self.id, self.type, self.source, self.subject, self.time):
            raise ValueError("it has neither the attributes of an event nor headers")
        return Envelope(**{name: value for name, value in said.items() if value is not UNSET}).to_headers()

    @property
    def body(self) -> bytes:
        """The body, byte for byte. Raises ValueError where the line has none."""
        if self.data is not UNSET:
            return bytes(self.data)
        if self.data_base64 is UNSET:
            raise ValueError("it has no data")
        return base64.b64decode(self.data_base64, validate=True)


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name not in _OF_THE_SERVER and not name.startswith(_OF_THE_APPEND)
    }


def _attributes(envelope: Envelope) -> dict[str, object]:
    said = {name: getattr(envelope, name) for name in _ATTRIBUTES}
    said |= {"causationid": envelope.causation, "correlationid": envelope.correlation}
    known = {name: value for name, value in said.items() if value is not None}
    return {"specversion": SPEC_VERSION, "datacontenttype": "application/json", **known}


def _as_base64(body: bytes) -> dict[str, str]:
    return {"data_base64": base64.b64encode(body).decode()}


def _is_a_line_of_json(body: bytes) -> bool:
    try:
        body.decode()
        msgspec.json.decode(body)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return False
    # White space around a value would not come back.
    return b"\n" not in body and body == body.strip()
