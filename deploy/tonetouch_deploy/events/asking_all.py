"""Asking every service the same question, and finding the one that has what is meant."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from nats.aio.client import Client

from tonetouch_contracts.manifest import CONSUMERS
from tonetouch_contracts.message import Command
from tonetouch_contracts.operating import ParkedDetail, ShowLag, ShowParked
from tonetouch_contracts.parties import PARTIES
from tonetouch_deploy.events.reaching import NoAnswerError, RefusedError, asked, together
from tonetouch_deploy.settings import CannotStartError

R = TypeVar("R")

SERVICES = tuple(party.name for party in PARTIES)
_OWNERS = {consumer.name: consumer.owner for consumer in CONSUMERS}


class Place(msgspec.Struct, frozen=True):
    """Where an event stands, as a person types it: CATALOG@17."""

    stream: str
    sequence: int

    @classmethod
    def read(cls, text: str) -> "Place":
        """Raises CannotStartError for anything else."""
        stream, at, sequence = text.rpartition("@")
        if not (stream and at and sequence.isdecimal()):
            raise CannotStartError(f"{text} is no place in the log; say it as in CATALOG@17.")
        return cls(stream.upper(), int(sequence))


async def ask_all(
    client: Client, command: Command[R], services: Sequence[str] = SERVICES
) -> list[tuple[str, R | NoAnswerError]]:
    """What each service answers; one that does not is told of, and keeps nobody from hearing the others."""

    async def ask(service: str) -> tuple[str, R | NoAnswerError]:
        try:
            return service, await asked(client, command, service)
        except NoAnswerError as error:
            return service, error

    return await together(*(ask(service) for service in services))


def named(service: str | None) -> Sequence[str]:
    """One service, or all of them. Raises CannotStartError for one that is none."""
    if service is None:
        return SERVICES
    if service not in SERVICES:
        raise CannotStartError(f"There is no service {service}; there are {', '.join(SERVICES)}.")
    return (service,)


async def service_of(client: Client, part: str, service: str | None = None) -> str:
    """The service that has this table or consumer. Raises CannotStartError where none of those that answer has it."""
    if service is not None:
        return named(service)[0]
    if part in _OWNERS:
        return _OWNERS[part]
    answers = await ask_all(client, ShowLag())
    for name, answer in answers:
        if not isinstance(answer, NoAnswerError) and any(one.part == part for one in answer.parts):
            return name
    silent = [name for name, answer in answers if isinstance(answer, NoAnswerError)]
    more = f" (no answer from {', '.join(silent)})" if silent else ""
    raise CannotStartError(f"No service has a part {part}{more}; `tonetouch events lag` lists them all.")


async def parked_at(client: Client, place: Place, part: str | None, service: str | None) -> tuple[str, ParkedDetail]:
    """A parked event and the service that has it. Raises CannotStartError where none has it, or several have."""
    found: list[tuple[str, ParkedDetail]] = []
    for name in named(service):
        try:
            command = ShowParked(stream=place.stream, sequence=place.sequence, part=part)
            found.append((name, await asked(client, command, name)))
        except RefusedError as refused:
            if refused.problem.code != "not_found":
                raise
        except NoAnswerError:
            if service is not None:
                raise
    if not found:
        words = f"{place.stream}@{place.sequence} is parked nowhere; `tonetouch events parked list` shows what is."
        raise CannotStartError(words)
    if len(found) > 1:
        parts = ", ".join(f"{name} ({detail.parked.part})" for name, detail in found)
        raise CannotStartError(f"{place.stream}@{place.sequence} is parked in {parts}; say which with --service.")
    return found[0]
