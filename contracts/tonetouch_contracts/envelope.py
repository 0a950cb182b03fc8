"""The CloudEvents 1.0 envelope in binary mode: attributes in headers, the body is the data as it is.

Header values are percent-encoded outside the printable ASCII range, as the NATS protocol binding asks: clients and
servers mangle anything else.
"""

import re
from collections.abc import Mapping
from operator import itemgetter
from urllib.parse import unquote_to_bytes

import msgspec

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"

AS_WRITTEN = frozenset(
    {
        *("ce-specversion", "ce-id", "ce-type", "ce-source", "ce-subject", "ce-time", "ce-datacontenttype"),
        *("ce-causationid", "ce-correlationid", "traceparent"),
        *("Nats-Msg-Id", "Nats-Expected-Stream", "Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"),
        *("Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Subject-Sequence-Subject"),
        *("Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence"),
        "Nats-Msg-Size",
    }
)
"""The names of headers as we and the server write them."""

_TO_ENCODE = re.compile(r"[^\x21-\x7e]|[\"%]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


_needed = itemgetter("ce-specversion", "ce-id", "ce-type", "ce-source", "ce-subject", "ce-time")


class EnvelopeError(ValueError):
    """The headers are not those of a CloudEvent in binary mode."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The context of one event. Times are RFC 3339 in UTC; causation is the id of the message that led to this one."""

    id: str
    type: str
    source: str
    subject: str
    time: str
    causation: str | None = None
    correlation: str | None = None
    traceparent: str | None = None

    def to_headers(self) -> dict[str, str]:
        """The headers to publish with, ``Nats-Msg-Id`` among them so that a repeated append is one append.

        Raises EnvelopeError for a value that has no UTF-8 form, as no reader could decode it again.
        """
        attributes = {
            "ce-specversion": SPEC_VERSION,
            "ce-id": self.id,
            "ce-type": self.type,
            "ce-source": self.source,
            "ce-subject": self.subject,
            "ce-time": self.time,
            "ce-datacontenttype": CONTENT_TYPE,
            "ce-causationid": self.causation,
            "ce-correlationid": self.correlation,
            "traceparent": self.traceparent,
        }
        headers = {name: encode_value(value) for name, value in attributes.items() if value is not None}
        headers["Nats-Msg-Id"] = headers["ce-id"]
        return headers

    @classmethod
    def from_headers(cls, headers: Mapping[str, str] | None) -> "Envelope":
        """Read the headers of a message, whatever the case of their names. Raises EnvelopeError."""
        found = headers or {}
        if not found.keys() <= AS_WRITTEN:
            # Some client wrote them its own way. Nearly all messages are spared the copy.
            found = {name.lower(): value for name, value in found.items()}
        try:
            version, identity, wire_name, source, subject, moment = _needed(found)
        except KeyError as missing:
            raise EnvelopeError(f"the header {missing.args[0]} is missing") from None
        if version != SPEC_VERSION:
            raise EnvelopeError(f"CloudEvents {version} is not {SPEC_VERSION}")
        causation, correlation = found.get("ce-causationid"), found.get("ce-correlationid")
        envelope = cls(
            id=identity,
            type=wire_name,
            source=source,
            subject=subject,
            time=moment,
            causation=causation,
            correlation=correlation,
            traceparent=found.get("traceparent"),
        )
        # Ids, names and times need no escapes, so nearly all values are what they seem.
        if "%" in f"{identity}{wire_name}{source}{subject}{moment}{causation}{correlation}{envelope.traceparent}":
            return envelope._decoded()
        return envelope

    def _decoded(self) -> "Envelope":
        values = msgspec.structs.asdict(self).items()
        return Envelope(**{name: value and decode_value(value) for name, value in values})


def encode_value(value: str) -> str:
    """Percent-encode what may not stand in a header: spaces, quotes, percent signs, everything outside ASCII.

    Raises EnvelopeError for half a surrogate pair, which has no UTF-8 form.
    """
    try:
        return _TO_ENCODE.sub(_escape, value)
    except UnicodeEncodeError:
        raise EnvelopeError("a header value cannot be said in UTF-8") from None


def decode_value(value: str) -> str:
    """Undo `encode_value`. Raises EnvelopeError where the escapes or the UTF-8 under them are broken."""
    if "%" not in value:
        return value
    if _BAD_ESCAPE.search(value):
        raise EnvelopeError("a header value holds a broken percent-escape")
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise EnvelopeError("a header value is not UTF-8") from None


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8"))
