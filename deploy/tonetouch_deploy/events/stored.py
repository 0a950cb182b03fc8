"""A message as it stands in the log: where, since when, its headers and its body, whether it can be read or not."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from nats.aio.msg import Msg

from tonetouch_contracts.envelope import Envelope, EnvelopeError

_NANO = 1_000_000_000
_EMPTY: Mapping[str, str] = {}


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a stream. `stored_at` is by the server's clock, RFC 3339; `envelope` none where it has none."""

    stream: str
    sequence: int
    subject: str
    stored_at: str
    headers: Mapping[str, str]
    body: bytes
    envelope: Envelope | None

    @property
    def type(self) -> str:
        """The wire name: the first two tokens of the subject, which the server has checked."""
        return ".".join(self.subject.split(".")[:2])

    @property
    def entity(self) -> str:
        """Whom it is about."""
        return self.subject.rpartition(".")[2]

    @property
    def time(self) -> str:
        """When it happened: by the clock of whoever said it, or else when it was stored."""
        return self.envelope.time if self.envelope else self.stored_at


def stored(message: Msg) -> Stored:
    """A message that came from a consumer or from a direct get."""
    headers = message.headers or _EMPTY
    if "Nats-Sequence" in headers:
        stream, sequence = headers["Nats-Stream"], int(headers["Nats-Sequence"])
        subject, stored_at = headers["Nats-Subject"], headers["Nats-Time-Stamp"]
    else:
        stream, sequence, nanoseconds = _delivered(message.reply)
        subject, stored_at = message.subject, _rfc3339(nanoseconds)
    try:
        envelope = Envelope.from_headers(headers)
    except EnvelopeError:
        envelope = None
    return Stored(
        stream=stream,
        sequence=sequence,
        subject=subject,
        stored_at=stored_at,
        headers=headers,
        body=message.data,
        envelope=envelope,
    )


def _delivered(reply: str) -> tuple[str, int, int]:
    # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>, with a domain and a hash of
    # the account in front in the newer form.
    tokens = reply.split(".")
    shift = 2 if len(tokens) > 9 else 0
    return tokens[2 + shift], int(tokens[5 + shift]), int(tokens[7 + shift])


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _NANO)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".") + "Z"
