"""Keyset cursors: opaque to whoever holds one, the last key of a page to us."""

import base64
import binascii

import msgspec

from tonetouch_runtime.errors import Refused

MOST = 200


def encode_cursor(*key: str | int | float) -> str:
    """A cursor that stands after this key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> tuple[str | int | float, ...]:
    """The key inside, whose parts must be of these types. Raises Refused for anything else."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key = msgspec.json.decode(raw, type=tuple[kinds])  # type: ignore[valid-type]
    except (binascii.Error, ValueError, RecursionError, msgspec.MsgspecError):
        key = None
    if key is None or not all(map(_can_be_asked_for, key)):
        raise Refused("invalid", "The cursor is not one of ours.", "Start again without a cursor.")
    return tuple(key)


def _can_be_asked_for(part: str | int | float) -> bool:
    """Whether a database takes it as a value: PostgreSQL knows no zero byte in text, and neither any longer integer."""
    return "\0" not in part if isinstance(part, str) else not isinstance(part, int) or abs(part) < 1 << 63


def page_size(limit: int) -> int:
    """A limit as asked for, or Refused: 1 to 200."""
    if not 1 <= limit <= MOST:
        raise Refused("invalid", f"A limit is a number from 1 to {MOST}, not {limit}.")
    return limit
