"""What can go wrong, as a tree.

::

    TonetouchError
    ├── Refused          the answer is no, in words for a person; carries a Problem
    ├── NotNow           not yet: hand it back and try again after a while
    ├── Unavailable      a part we stand on does not answer (bus, objects, tables)
    ├── ManifestDiffers  the server's streams are not the declared ones: do not start
    └── Misconfigured    a setting, port, secret or folder is missing: do not start

Anything else that escapes a handler is a bug: it is retried, then parked.
"""

from tonetouch_contracts.message import Problem, ProblemCode


class TonetouchError(Exception):
    """The root of what we raise ourselves. `outcome` is what metrics and traces call what ended with it."""

    outcome: str = "failed"


class Refused(TonetouchError):
    """A decision said no. The words reach the person who asked."""

    def __init__(self, code: ProblemCode, detail: str, next_step: str = "") -> None:
        super().__init__(detail)
        self.problem = Problem(code=code, detail=detail, next_step=next_step)
        self.outcome = code

    @classmethod
    def because(cls, problem: Problem) -> "Refused":
        """The refusal another service answered with."""
        return cls(problem.code, problem.detail, problem.next_step)


class NotNow(TonetouchError):
    """What is needed is not there yet; ask again after `seconds`. It does not count as a failed attempt."""

    outcome = "not_yet"

    def __init__(self, seconds: float, why: str = "") -> None:
        super().__init__(why or f"not for another {seconds:g} s")
        self.seconds = seconds


class Unavailable(TonetouchError):
    """A part we stand on did not answer within its bound."""

    outcome = "unavailable"


class ManifestDiffers(TonetouchError):
    """A stream or consumer on the server is not what the manifest declares."""


class Misconfigured(TonetouchError):
    """The service cannot start with these settings; the message says which one and what to do."""
