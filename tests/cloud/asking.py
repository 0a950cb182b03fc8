"""A request as it came, and the question to a model that is found in it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.cloud.faults import Fault, Refused
from tests.cloud.record import Charged, Surface

if TYPE_CHECKING:
    from tests.cloud.account import Account


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request to a provider: the path is the provider's own, without its host."""

    account: "Account"
    path: str
    headers: Mapping[str, str]
    raw: bytes
    surface: Surface
    query: Mapping[str, str] = field(default_factory=dict)
    unified_billing: bool = False

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"


@dataclass(frozen=True)
class Piece:
    """One chunk of a stream as it is sent, and the text it adds to the answer."""

    data: bytes
    text: str = ""


@dataclass(kw_only=True)
class Answer:
    """What is sent. With `pieces` it is a stream; `input_charged` is then what a stream costs before its first word."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[Piece] | None = None
    charged: Charged = field(default_factory=Charged)
    error: str | None = None


Answering = Callable[[Fault], Answer]


@dataclass(kw_only=True)
class Question:
    """One request to one model. `check` refuses what the schema refuses, and gives what answers the rest."""

    provider: str
    model: str
    task: str
    surface: Surface
    raw: bytes
    streamed: bool = False
    check: Callable[[], Answering]
    refuse: Callable[[Refused, str], Answer]
    request_id_header: str = "x-request-id"
    texts: int = 0

    @property
    def body_sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


class Dialect(Protocol):
    """How one provider is spoken to."""

    @property
    def provider(self) -> str:
        """Its slug in a gateway's paths."""
        ...

    def key(self, headers: Mapping[str, str]) -> str | None:
        """The key that came with a request."""
        ...

    def question(self, asked: Asked) -> Question:
        """The question in a request. Raises Refused where there is none."""
        ...

    def refuse(self, refused: Refused, request_id: str) -> Answer:
        """The refusal in the provider's own form."""
        ...


def encoded(value: Any) -> bytes:
    """JSON."""
    return msgspec.json.encode(value)


def parsed(raw: bytes, status: int, code: int | str) -> dict[str, Any]:
    """The JSON object a body is. Raises Refused with `status` and `code` for anything else."""
    try:
        body = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise Refused(status, code, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refused(status, code, "the body is not a JSON object")
    return body


def objection(validator: Draft202012Validator, body: Any) -> str | None:
    """Why a schema refuses a body, in one line; None if it does not."""
    error = best_match(validator.iter_errors(body))
    if error is None:
        return None
    place = "/".join(str(step) for step in error.absolute_path)
    return f"{place or 'body'}: {error.message[:300]}"
