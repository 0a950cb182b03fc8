"""What can go wrong between a caller and a model.

::

    TonetouchError
    ├── Unavailable
    │   └── AIUnavailable   nobody answers, until a setting is changed
    └── Refused
        └── AIInputRefused  this input will never be answered; another one may be

What a provider raises beyond these is a bug and passes through as it is. All of it is in the ledger.
"""

from tonetouch_runtime.errors import Refused, Unavailable


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
