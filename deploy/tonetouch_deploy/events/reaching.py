"""Reaching an installation: its bus, and the services behind it.

It is the one that TONETOUCH_NATS_URL names, or else the one that `up` runs on the data folder. Only the client of NATS
is needed for it: a command does not wait for the libraries of the services.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import nats
import nats.errors
import typer
from nats.aio.client import Client

from tonetouch_contracts.message import Command, Problem
from tonetouch_contracts.subjects import command_subject
from tonetouch_deploy.nats_accounts import OPERATOR
from tonetouch_deploy.run_record import run_record
from tonetouch_deploy.settings import CannotStartError, read_settings
from tonetouch_deploy.showing import say_failure

T = TypeVar("T")
R = TypeVar("R")

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 5.0
ANSWER_SECONDS = 30.0

_NEXT_STEP = "`uv run just status` shows what runs."


class NoAnswerError(CannotStartError):
    """A service did not answer, or not with what was asked for."""


class RefusedError(CannotStartError):
    """A service answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(" ".join(part for part in (problem.detail, problem.next_step) if part))
        self.problem = problem


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """The address of the bus, and who we are there; without a user the address says it."""

    url: str
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return "Door(...)"


def door() -> Door:
    """The door of the bus. Raises CannotStartError where nothing says which installation is meant."""
    if "TONETOUCH_NATS_URL" in os.environ:
        return _door(os.environ)
    # What `up` gives its services is known to the launcher's composition, which takes longer to load.
    from tonetouch_deploy.composing import service_environment

    settings = read_settings()
    return _door(service_environment(settings, run_record(settings.data_folder).ports))


def _door(environment: Mapping[str, str]) -> Door:
    said = {name: environment.get(f"TONETOUCH_NATS_{name.upper()}", "") for name in Door.__struct_fields__}
    return Door(**{**said, "user": said["user"].replace("{service}", OPERATOR)})


@asynccontextmanager
async def connected(door: Door) -> AsyncIterator[Client]:
    """A connection for as long as the block lasts. Raises CannotStartError where nobody answers."""
    try:
        client = await nats.connect(
            door.url,
            user=door.user or None,
            password=door.password or None,
            name="tonetouch events",
            # The one inbox the server lets this role listen to.
            inbox_prefix=f"_INBOX_{OPERATOR}",
            connect_timeout=CONNECT_SECONDS,
            allow_reconnect=False,
            # Of a server that is not there the client would ask again for minutes.
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            error_cb=_in_silence,
            pending_size=64 << 20,
        )
    except (TimeoutError, OSError, ValueError, nats.errors.Error) as error:
        # The address may hold a password: say what is wrong, never with what.
        words = f"The bus is not reached ({type(error).__name__}); is `uv run just up` running? {_NEXT_STEP}"
        raise CannotStartError(words) from None
    try:
        yield client
    finally:
        await client.close()


def reach(ask: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
    """Run one conversation with the installation; what goes wrong is one sentence and exit code 2."""

    async def conversation() -> T:
        async with connected(door()) as client:
            return await ask(client)

    try:
        return asyncio.run(conversation())
    except CannotStartError as error:
        say_failure(error)
        raise typer.Exit(2) from error
    except (TimeoutError, nats.errors.Error) as error:
        say_failure(CannotStartError(f"The bus did not answer ({type(error).__name__}). {_NEXT_STEP}"))
        raise typer.Exit(2) from error


async def asked(client: Client, command: Command[R], service: str, *, timeout: float = ANSWER_SECONDS) -> R:
    """The answer of a service. Raises RefusedError with its problem, NoAnswerError where there is no answer."""
    reply_type: Any = command.reply_type()
    try:
        subject = command_subject(type(command), service)
        message = await client.request(subject, msgspec.json.encode(command), timeout)
        reply = msgspec.json.decode(message.data, type=_Reply)
        if reply.problem is not None:
            raise RefusedError(reply.problem)
        answer: R = msgspec.json.decode(reply.value, type=reply_type)
    except nats.errors.NoRespondersError:
        raise NoAnswerError(f"{service} does not answer; it may not be running. {_NEXT_STEP}") from None
    except (TimeoutError, nats.errors.Error) as error:
        words = f"{service} did not answer within {timeout:g} s ({type(error).__name__}). {_NEXT_STEP}"
        raise NoAnswerError(words) from error
    except msgspec.DecodeError as error:
        raise NoAnswerError(f"{service} answered what cannot be read: {error}; is it another version?") from error
    return answer


async def api(client: Client, subject: str, body: Any, answer: type[T]) -> T:
    """Ask JetStream's own interface below ``$JS.API``. Raises CannotStartError with the server's words."""
    message = await client.request(f"$JS.API.{subject}", msgspec.json.encode(body), REQUEST_SECONDS)
    failed = msgspec.json.decode(message.data, type=_ApiAnswer).error
    if failed is not None:
        raise CannotStartError(f"The bus refused {subject.partition('.')[0].lower()}: {failed.description}.")
    return msgspec.json.decode(message.data, type=answer)


async def together(*asking: Awaitable[T]) -> list[T]:
    """Several questions at once, their answers in order."""
    return list(await asyncio.gather(*asking))


class _Reply(msgspec.Struct, frozen=True, kw_only=True):
    value: msgspec.Raw = msgspec.Raw(b"null")
    problem: Problem | None = None


class _ApiError(msgspec.Struct, frozen=True):
    description: str = ""
    err_code: int = 0


class _ApiAnswer(msgspec.Struct, frozen=True):
    error: _ApiError | None = None


async def _in_silence(_: Exception) -> None:
    """What the client tells of its connection is told by whoever asks over it."""
