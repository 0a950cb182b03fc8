"""What can go wrong between a caller and a model.

::

    TonetouchError
    ├── Unavailable
    │   ├── AIUnavailable   nobody answers, until a setting is changed
    │   └── ProviderFailed  a provider did not answer, or not with an answer; another time or another one may
    └── Refused
        ├── AIInputRefused  this input will never be answered; another one may be
        └── AIBudgetSpent   there is no money left for this today

What a provider raises beyond these is a bug and passes through as it is. All of it is in the ledger.
"""

from typing import Literal

from tonetouch_runtime.ai.usage import Usage
from tonetouch_runtime.errors import Refused, Unavailable

Failure = Literal[
    "rate_limited",
    "out_of_capacity",
    "daily_quota",
    "timeout",
    "unreachable",
    "overloaded",
    "unauthorised",
    "nonsense",
    "cut",
]

_MAY_PASS: frozenset[Failure] = frozenset(
    {"rate_limited", "out_of_capacity", "timeout", "unreachable", "overloaded", "nonsense", "cut"}
)


class AIUnavailable(Unavailable):
    """No model can answer here; `setting` says what has to be installed or changed."""

    def __init__(self, setting: str) -> None:
        super().__init__(f"No model answers: {setting}")
        self.setting = setting


class AIInputRefused(Refused):
    """The model will not take this input; trying again changes nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__("invalid", reason)
        self.reason = reason


class AIBudgetSpent(Refused):
    """A budget has no money left for this call today."""

    def __init__(self, detail: str) -> None:
        super().__init__("conflict", detail, "Wait until midnight UTC, or raise the budget.")


class ProviderFailed(Unavailable):
    """A provider did not give an answer.

    `rate_limited` is the limit per minute, `out_of_capacity` a provider that is busy for everybody, `daily_quota` an
    allowance that is used up until the next UTC day, `nonsense` an answer that cannot be read, `cut` a stream that
    ended before its end. `reached` says that the provider may have begun to work, and so may ask for money. `usage` is
    what is known of it, `text` what had come of a stream.
    """

    def __init__(
        self,
        failure: Failure,
        detail: str,
        *,
        http_status: int | None = None,
        retry_after_seconds: float | None = None,
        reached: bool = True,
        usage: Usage | None = None,
        text: str = "",
        request_id: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.failure = failure
        self.http_status = http_status
        self.retry_after_seconds = retry_after_seconds
        self.reached = reached
        self.usage = usage
        self.text = text
        self.request_id = request_id
        self.outcome = failure

    @property
    def may_pass(self) -> bool:
        """Whether the same call may be answered a little later."""
        return self.failure in _MAY_PASS
