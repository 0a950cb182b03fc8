"""A slice's part of its service: what it answers, hears, works on and keeps. Plain registration, nothing happens."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import Table
from sqlmodel import SQLModel

from tonetouch_contracts.message import Command, Event
from tonetouch_runtime._bus import Answered
from tonetouch_runtime._projecting import Projection
from tonetouch_runtime._recorded import Recorded
from tonetouch_runtime._task import Task

if TYPE_CHECKING:
    from tonetouch_runtime._floor import Floor

R = TypeVar("R")
C = TypeVar("C", bound=Command[Any])
E = TypeVar("E", bound=Event)

AnswerHandler = Callable[[C, "Floor"], Awaitable[R | Answered[R]]]
HearHandler = Callable[[Recorded[E], "Floor"], Awaitable[None]]
WorkHandler = Callable[[Task, "Floor"], Awaitable[None]]
BatchHandler = Callable[[Sequence[Task], "Floor"], Awaitable[None]]
KeepHandler = Callable[..., None]


class Hearing(msgspec.Struct, frozen=True):
    consumer: str
    events: tuple[type[Event], ...]
    handler: Callable[..., Awaitable[None]]


class Working(msgspec.Struct, frozen=True):
    queue: str
    step: str
    consumer: str
    handler: Callable[..., Awaitable[None]]
    parallel: int
    at_most: int


class Keeping(msgspec.Struct, frozen=True):
    model: type[SQLModel]
    hears: tuple[type[Event], ...]
    handler: KeepHandler
    beside: tuple[type[SQLModel], ...] = ()
    is_list_of_work: bool = False

    def projection(self, tables: Sequence[Table]) -> Projection:
        """This read model, kept in these tables: the first is the model's, the others are those beside it."""
        first, *beside = tables
        return Projection(
            name=str(first.name),
            table=first,
            hears=frozenset(self.hears),
            project=self.handler,
            beside=tuple(beside),
        )


class Router:
    """Collects the handlers of one slice; `app.py` lists the routers, and that list is the table of contents."""

    def __init__(self) -> None:
        self.answering: dict[type[Command[Any]], Callable[..., Awaitable[Any]]] = {}
        self.hearing: list[Hearing] = []
        self.working: list[Working] = []
        self.keeping: list[Keeping] = []

    def answers(self, command: type[Command[R]]) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
        """Reply to a command: ``async (command, floor) -> R | Answered[R]``. Raise Refused to say no.

        Raises ValueError for a second handler of one command.
        """

        def register(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            if command in self.answering:
                raise ValueError(f"two handlers answer {command.wire_name()}")
            self.answering[command] = handler
            return handler

        return register

    def hears(self, *events: type[Event], consumer: str) -> Callable[[Any], Any]:
        """React to facts through a durable consumer of the manifest: ``async (fact, floor)``, at least once.

        Raise NotNow to be called again later without it counting as a failure.
        """

        def register(handler: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
            self.hearing.append(Hearing(consumer, events, handler))
            return handler

        return register

    def works(self, queue: str, step: str, *, consumer: str, parallel: int = 1) -> Callable[[Any], Any]:
        """Take queued work: ``async (task, floor)``, at least once, `parallel` at a time."""

        def register(handler: WorkHandler) -> WorkHandler:
            async def one(tasks: Sequence[Task], floor: "Floor") -> None:
                await handler(tasks[0], floor)

            self.working.append(Working(queue, step, consumer, one, parallel, 1))
            return handler

        return register

    def works_batch(self, queue: str, step: str, *, consumer: str, at_most: int) -> Callable[[Any], Any]:
        """Take queued work several at once: ``async (tasks, floor)`` with 1 to `at_most` tasks."""

        def register(handler: BatchHandler) -> BatchHandler:
            self.working.append(Working(queue, step, consumer, handler, 1, at_most))
            return handler

        return register

    def keeps(
        self,
        model: type[SQLModel],
        *beside: type[SQLModel],
        hears: Sequence[type[Event]],
        is_list_of_work: bool = False,
    ) -> Callable[[KeepHandler], KeepHandler]:
        """Maintain a read model: ``(facts, writer)``, in order, in one transaction with the position.

        The function is pure but for its writer, so that a rebuild gives the same rows. A column is written by events
        of one stream only: there is no order across streams. Tables `beside` the first (sums over its rows) are
        written by the same function, which has a writer for each; they share its position, so they are rebuilt with it.
        A list of work, from which the service itself takes what is done, is no state of the log: it is not rebuilt.
        """

        def register(handler: KeepHandler) -> KeepHandler:
            self.keeping.append(Keeping(model, tuple(hears), handler, beside, is_list_of_work))
            return handler

        return register
