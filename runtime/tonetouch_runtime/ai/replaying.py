"""Doing something again without paying for it again.

What was answered once is kept under the hash of its question, so asking again costs nothing. But a replayed event may
lead to a question that was never asked, or not in these words: inside `only_kept` that is not asked at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_only_kept: ContextVar[bool] = ContextVar("only_kept", default=False)


class WouldBill(BaseException):
    """A question would reach a model that nobody has agreed to pay for.

    Like a cancellation it is no Exception: a handler that takes every failure for one of its own, and says so in the
    log, would have failed at nothing.
    """


@contextmanager
def only_kept() -> Iterator[None]:
    """Inside, questions are answered from what is kept; any other raises WouldBill."""
    token = _only_kept.set(True)
    try:
        yield
    finally:
        _only_kept.reset(token)


def is_only_kept() -> bool:
    """Whether nothing may be billed here."""
    return _only_kept.get()
