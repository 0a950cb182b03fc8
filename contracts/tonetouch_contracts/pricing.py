"""Prices that are known better later: what attempts cost, worked out again. Answered by ai-ledger."""

import msgspec

from tonetouch_contracts.message import Command


class Repricing(msgspec.Struct, frozen=True, kw_only=True):
    """What one page of re-pricing did, or would have done.

    Of the `examined` attempts, `corrected` cost something else by `price_revision`: `before_pico_usd` and
    `after_pico_usd` are the sums of these. `newly_priced` of them had no price before. `unpriced` attempts have none in
    the book, and keep what they had. Ask again with `next_cursor` until there is none.
    """

    price_revision: str
    examined: int
    corrected: int
    newly_priced: int
    unpriced: int
    before_pico_usd: int
    after_pico_usd: int
    next_cursor: str | None = None


class RepriceJobs(Command[Repricing], frozen=True, kw_only=True, tag="ai-ledger.reprice-jobs"):
    """Price attempts again by today's book, at the prices of the day each was started on, and say what differs.

    Days are UTC, as ``2026-01-31``, and both included. Nothing that was said is changed: corrections are added, at most
    one for an attempt and a revision, so asking again is harmless. With `only_show` nothing is added. A page looks at
    up to `limit` attempts, the oldest first.
    """

    from_day: str | None = None
    to_day: str | None = None
    feature: str | None = None
    provider: str | None = None
    model: str | None = None
    only_show: bool = False
    limit: int = 1000
    cursor: str | None = None
