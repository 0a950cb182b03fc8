"""The budget: what a feature, a user, or a feature for one user may cost each UTC day. Pure."""

from collections.abc import Sequence
from typing import Self

import msgspec

from tonetouch_contracts.ledger import BudgetSet
from tonetouch_contracts.message import Event
from tonetouch_runtime import Refused

MOST_PICO_USD = 10**18
"""A million dollars a day."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One budget; the last word counts."""

    said: BudgetSet | None = None

    def evolve(self, event: Event) -> Self:
        """The budget after this event."""
        return msgspec.structs.replace(self, said=event) if isinstance(event, BudgetSet) else self


def set_to(budget: Budget, wanted: BudgetSet) -> Sequence[Event]:
    """Set it as wanted; nothing is said where it is so already, or is taken away and never was."""
    if wanted.feature is None and wanted.user is None:
        raise Refused("invalid", "A budget is of a feature, of a user, or of both.", "Name one of them.")
    limit = wanted.limit_pico_usd
    if limit is not None and not 0 <= limit <= MOST_PICO_USD:
        raise Refused("invalid", f"A budget is from 0 to {MOST_PICO_USD} pico-dollars a day, not {limit}.")
    if budget.said is None:
        return () if limit is None else (wanted,)
    same = msgspec.structs.replace(wanted, set_at=budget.said.set_at) == budget.said
    return () if same else (wanted,)
