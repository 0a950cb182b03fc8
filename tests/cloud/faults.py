"""What can be planned to go wrong, and how a refusal is carried to whoever writes the answer."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to fail; several may be combined. With `status` nothing is charged.

    `cut_after` counts the pieces of a stream that still come. `code` is a number at Cloudflare and a type elsewhere.
    """

    status: int | None = None
    code: int | str | None = None
    message: str = "planned"
    retry_after: float | None = None
    without_usage: bool = False
    cut_after: int | None = None
    abrupt: bool = False
    content_type: str | None = None
    html: bool = False
    nonsense: bool = False
    duplicate_ids: bool = False
    missing: int = 0
    plain_json: bool = False
    torn: bool = False
    delay_seconds: float = 0.0

    def told(self) -> str:
        """The fault in one line of the record."""
        blank = asdict(Fault())
        return " ".join(f"{name}={value}" for name, value in asdict(self).items() if value != blank[name])


@dataclass
class PlannedFault:
    """A fault that is due after `after` more requests, `times` times."""

    fault: Fault
    times: int
    after: int = 0


class Refused(Exception):
    """The request is not answered. The provider that was asked puts it in its own form."""

    def __init__(
        self, status: int, code: int | str, message: str, *, retry_after: float | None = None, name: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.name = name
