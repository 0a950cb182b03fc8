"""The two kinds of message, and what comes back.

An `Event` is a fact in the log: past tense, never changed. A `Command` asks one service to decide something; it is
always answered, by its own reply type or by a `Problem`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args

import msgspec

R = TypeVar("R")

Positions = dict[str, int]
"""How far a stream was when something was written: ``{stream: sequence}``."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="event"):
    """A fact. The struct's tag is its wire name (``track.uploaded``); `entity_field` names the field with its entity.

    It may grow by fields with defaults. Anything else is a new wire name with an upcaster.
    """

    entity_field: ClassVar[str] = ""

    @classmethod
    def wire_name(cls) -> str:
        """``noun.verb-in-past``, as it stands in subjects and in ``ce-type``."""
        return str(cls.__struct_config__.tag)

    @property
    def entity_id(self) -> str:
        """The entity this fact is about: the last token of its subject."""
        return str(getattr(self, self.entity_field))


class Command(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag_field="command", tag="command"):
    """A request to one service. The tag is ``service.verb``; it is sent to ``cmd.service.verb``."""

    @classmethod
    def wire_name(cls) -> str:
        """``service.verb``, as in ``catalog.upload-track``."""
        return str(cls.__struct_config__.tag)

    @classmethod
    def reply_type(cls) -> Any:
        """What a good answer looks like: the type argument the class was declared with."""
        for parent in cls.__orig_bases__:  # type: ignore[attr-defined]
            if arguments := get_args(parent):
                return arguments[0]
        raise TypeError(f"{cls.__name__} does not say what it is answered with")


ProblemCode = Literal[
    "invalid", "not_found", "conflict", "too_large", "unsupported", "not_yet", "unavailable", "internal"
]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why something was not done, in words a person can read.

    ``code`` is for programs: ``invalid`` (ask differently), ``not_found``, ``conflict`` (it is not in a state for
    this), ``too_large``, ``unsupported``, ``not_yet`` (ask again soon), ``unavailable`` (a part is down),
    ``internal`` (our bug). ``next_step`` says what the reader can do.
    """

    code: ProblemCode
    detail: str
    next_step: str = ""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a command whose only answer is that it was done."""


class Page(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """One page of a list, and the opaque cursor of the next one (none at the end)."""

    items: tuple[R, ...]
    next_cursor: str | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A service's own view: whether it can do its work, and what each part of it says."""

    service: str
    ready: bool
    checks: dict[str, str]


class ShowHealth(Command[Health], frozen=True, kw_only=True, tag="every.show-health"):
    """Asks any service how it is; the one command that every service answers, on ``cmd.<service>.show-health``."""


def same_positions(first: Mapping[str, int], second: Mapping[str, int]) -> Positions:
    """The later of two sets of positions, stream by stream."""
    return {stream: max(first.get(stream, 0), second.get(stream, 0)) for stream in {*first, *second}}
