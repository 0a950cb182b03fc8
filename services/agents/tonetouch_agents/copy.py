"""The copy: one text of a kind about one subject, and who has asked for it. Pure; every fact comes from AGENTS."""

from collections.abc import Sequence
from typing import Self

import msgspec

from tonetouch_contracts.copy import (
    CopyAsked,
    CopyBegun,
    CopyFailed,
    CopySkipped,
    CopyWritten,
    DraftDiscarded,
)
from tonetouch_contracts.message import Event

MOST_BEGINNINGS = 5
"""A text whose writing ends this often without a word most likely kills whoever writes it."""


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A text as the decisions need to see it.

    `open` are the asks that have no answer yet, `asks` all there ever were. Attempts are counted by job, beginnings by
    ask; `discarded` counts answers of models that were not used.
    """

    open: dict[str, CopyAsked] = msgspec.field(default_factory=dict)
    asks: frozenset[str] = frozenset()
    attempts: dict[str, int] = msgspec.field(default_factory=dict)
    beginnings: dict[str, int] = msgspec.field(default_factory=dict)
    discarded: int = 0
    written: CopyWritten | None = None

    def evolve(self, event: Event) -> Self:
        """The copy after this event."""
        match event:
            case CopyAsked():
                asked = {**self.open, event.ask_id: event}
                return msgspec.structs.replace(self, open=asked, asks=self.asks | {event.ask_id})
            case CopyBegun():
                attempts = {**self.attempts, event.job_id: event.attempt}
                beginnings = {**self.beginnings, event.ask_id: self.beginnings.get(event.ask_id, 0) + 1}
                return msgspec.structs.replace(self, attempts=attempts, beginnings=beginnings)
            case DraftDiscarded():
                return msgspec.structs.replace(self, discarded=self.discarded + 1)
            case CopyWritten():
                return self._answered(event.ask_id, written=event)
            case CopySkipped() | CopyFailed():
                return self._answered(event.ask_id)
        return self

    def _answered(self, ask_id: str, **changes: object) -> Self:
        still = {key: asked for key, asked in self.open.items() if key != ask_id}
        return msgspec.structs.replace(self, open=still, **changes)


def ask(copy: Copy, asked: CopyAsked) -> Sequence[Event]:
    """Ask for the text. The same ask again changes nothing, however long ago it was."""
    return () if asked.ask_id in copy.asks else (asked,)


def ask_once(copy: Copy, asked: CopyAsked) -> Sequence[Event]:
    """Ask for the text, unless somebody waits for it already."""
    return () if copy.open else ask(copy, asked)


def begin(copy: Copy, ask_id: str) -> Sequence[Event]:
    """Begin to write, under the next attempt of the job. Nothing happens where the ask has its answer."""
    asked = copy.open.get(ask_id)
    if asked is None:
        return ()
    attempt = max(asked.attempt, copy.attempts.get(asked.job_id, 0) + 1)
    if copy.beginnings.get(ask_id, 0) >= MOST_BEGINNINGS:
        reason = f"it was begun {MOST_BEGINNINGS} times and never came to an end"
        return (failed(asked, attempt=attempt - 1, reason=reason, may_pass=False),)
    return (CopyBegun(copy_id=asked.copy_id, ask_id=ask_id, job_id=asked.job_id, attempt=attempt),)


def settle(copy: Copy, ask_id: str, said: Sequence[Event]) -> Sequence[Event]:
    """Answer the ask, unless another writer has."""
    return said if ask_id in copy.open else ()


def failed(asked: CopyAsked, *, attempt: int, reason: str, may_pass: bool) -> CopyFailed:
    """How an ask fails."""
    return CopyFailed(
        copy_id=asked.copy_id,
        ask_id=asked.ask_id,
        kind=asked.kind,
        subject=asked.subject,
        job_id=asked.job_id,
        attempt=attempt,
        reason=reason,
        may_pass=may_pass,
    )
