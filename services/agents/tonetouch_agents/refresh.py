"""The refresh of one night: how far it came, and what it asked for. Pure; every fact comes from AGENTS."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self

import msgspec

from tonetouch_contracts.copy import RefreshAdvanced, RefreshBegun, RefreshCompleted
from tonetouch_contracts.message import Event

AT_HOUR = 4
"""UTC. Between the hours in which some providers charge double (01 to 04 and 06 to 10 on weekdays)."""


class Refresh(msgspec.Struct, frozen=True, kw_only=True):
    """A night's refresh. `waiting` are the texts that the last chunk asked for."""

    begun: RefreshBegun | None = None
    reached: str = ""
    contexts: int = 0
    asked: int = 0
    waiting: tuple[str, ...] = ()
    completed: RefreshCompleted | None = None

    def evolve(self, event: Event) -> Self:
        """The refresh after this event."""
        match event:
            case RefreshBegun():
                return msgspec.structs.replace(self, begun=event)
            case RefreshAdvanced():
                return msgspec.structs.replace(
                    self,
                    reached=event.reached,
                    contexts=self.contexts + event.contexts,
                    asked=self.asked + len(event.asked),
                    waiting=event.asked,
                )
            case RefreshCompleted():
                return msgspec.structs.replace(self, completed=event, waiting=())
        return self


def night_of(now: datetime) -> str:
    """The id of the refresh that is due at this time (UTC): the day whose hour has struck last."""
    return (now - timedelta(hours=AT_HOUR)).date().isoformat()


def begin(refresh: Refresh, begun: RefreshBegun) -> Sequence[Event]:
    """Begin the night's refresh; it is begun once."""
    return () if refresh.begun else (begun,)


def advance(refresh: Refresh, advanced: RefreshAdvanced, *, after: str) -> Sequence[Event]:
    """Note a chunk, unless another worker came this far."""
    return (advanced,) if refresh.reached == after and refresh.completed is None else ()


def complete(refresh: Refresh, at: str) -> Sequence[Event]:
    """Say that nothing is left; it is said once."""
    if refresh.begun is None or refresh.completed is not None:
        return ()
    return (
        RefreshCompleted(
            refresh_id=refresh.begun.refresh_id, contexts=refresh.contexts, asked=refresh.asked, completed_at=at
        ),
    )
