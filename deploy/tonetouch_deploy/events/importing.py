"""`import`: an exported log into an empty installation, in its order and with its ids.

Every append says how long the stream was, so nobody else's event comes in between; and it is the beginning of the file
that is there already where an import was broken off, so that running it again goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import nats.errors
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_deploy.events._root import CARRY, AsJson, events, say_json
from tonetouch_deploy.events.counting import Counter, counting
from tonetouch_deploy.events.exported import Exported
from tonetouch_deploy.events.looking import message_at, truth_streams
from tonetouch_deploy.events.reaching import REQUEST_SECONDS, reach
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.settings import CannotStartError

MOST_AT_ONCE = 500
MOST_BYTES = 4 << 20

_SOMEBODY_ELSE = frozenset({10070, 10071, 10164, 10201})


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did: how many events of each stream are there now, and how many of them were before."""

    path: str
    events: int
    streams: dict[str, int]
    there_before: int
    renumbered: tuple[str, ...]


class _Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds: its events by stream, and of each stream the one where an import was broken off."""

    counts: dict[str, int]
    joints: dict[str, Exported]
    renumbered: tuple[str, ...]


@events.command("import", rich_help_panel=CARRY)
def bring(
    path: Annotated[Path, typer.Argument(help="A file that `events export` wrote, in lines of JSON.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make a log of an exported file, in an installation that has none: every event in its order, with its id."""

    async def bringing(client: Client) -> Brought:
        with counting("importing", shown=not as_json) as counter:
            return await brought(client, path, counter)

    done = reach(bringing)
    if as_json:
        say_json(done)
        return
    console = Console()
    parts = ", ".join(f"{count:,} of {stream}" for stream, count in done.streams.items())
    say(console, f"{done.events:,} events of {path} are in the log: {parts or 'nothing'}.")
    if done.there_before:
        say(console, f"{done.there_before:,} of them had been imported before.")
    for stream in done.renumbered:
        say(console, f"{stream} is not whole in the file: its events have other sequence numbers now.")
    say(console, "Services that start now read it from its beginning.")


async def brought(client: Client, path: Path, counter: Counter) -> Brought:
    """Append what of a file is not there yet. Raises CannotStartError where the log is another, or the file none."""
    heads = {info.config.name: info.state.last_seq for info in await truth_streams(client)}
    survey = _survey(path, heads)
    await _refuse_another_log(client, survey, heads)
    counter.expect(sum(survey.counts.values()))
    counter.add(sum(heads.values()))
    reached = dict(heads)
    for batch in _batches(path, heads):
        stream = batch[0].natsstream
        await _append(client, batch, reached[stream])
        reached[stream] += len(batch)
        counter.add(len(batch))
    return Brought(
        path=str(path),
        events=sum(survey.counts.values()),
        streams=survey.counts,
        there_before=sum(heads.values()),
        renumbered=survey.renumbered,
    )


def _survey(path: Path, heads: Mapping[str, int]) -> _Survey:
    """Read the file once before anything is appended."""
    counts: dict[str, int] = {}
    joints: dict[str, Exported] = {}
    renumbered: dict[str, None] = {}
    for line in _lines(path):
        stream = line.natsstream
        counts[stream] = place = counts.get(stream, 0) + 1
        if stream not in heads:
            raise CannotStartError(f"{path} has events of {stream}, which is no stream here: {', '.join(heads)}.")
        if place == heads[stream]:
            joints[stream] = line
        if place != line.natssequence:
            renumbered[stream] = None
    return _Survey(counts=counts, joints=joints, renumbered=tuple(renumbered))


async def _refuse_another_log(client: Client, survey: _Survey, heads: Mapping[str, int]) -> None:
    """What is there already has to be the beginning of the file."""
    for stream, head in heads.items():
        if head == 0:
            continue
        there = await message_at(client, stream, head)
        joint = survey.joints.get(stream)
        ours = joint and joint.headers.get("Nats-Msg-Id")
        if there is None or ours is None or there.headers.get("Nats-Msg-Id") != ours:
            raise CannotStartError(
                f"{stream} holds {head:,} events that are not the beginning of the file: a log is imported into an "
                "empty installation. TONETOUCH_DATA names another data folder, `tonetouch clean` empties this one."
            )


def _lines(path: Path) -> Iterator[Exported]:
    """The lines of a file. Raises CannotStartError with the number of one that cannot be read."""
    decoder = msgspec.json.Decoder(Exported)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    read = decoder.decode(line)
                    _ = read.headers, read.body
                except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
                    words = f"Line {number} of {path} is no exported event: {error}."
                    raise CannotStartError(words) from error
                yield read
    except OSError as error:
        raise CannotStartError(f"{path} cannot be read: {error.strerror}.") from error


def _batches(path: Path, heads: Mapping[str, int]) -> Iterator[list[Exported]]:
    """What is not there yet: lines of one stream that follow each other, as many as one append takes."""
    places = dict.fromkeys(heads, 0)
    batch: list[Exported] = []
    size = 0
    for line in _lines(path):
        places[line.natsstream] += 1
        if places[line.natsstream] <= heads[line.natsstream]:
            continue
        is_another = bool(batch) and batch[0].natsstream != line.natsstream
        if is_another or len(batch) == MOST_AT_ONCE or size > MOST_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line.body)
    if batch:
        yield batch


async def _append(client: Client, batch: Sequence[Exported], head: int) -> None:
    """All of them or none, and only as the next ones of the stream."""
    stream, identity = batch[0].natsstream, client.new_inbox().rpartition(".")[2]
    for number, line in enumerate(batch, start=1):
        headers = dict(line.headers)
        if number == 1:
            headers |= {"Nats-Expected-Stream": stream, "Nats-Expected-Last-Sequence": str(head)}
        if len(batch) > 1:
            headers |= {"Nats-Batch-Id": identity, "Nats-Batch-Sequence": str(number)}
        if 1 < number < len(batch):
            await client.publish(line.natssubject, line.body, headers=headers)
            continue
        if number == len(batch) > 1:
            headers["Nats-Batch-Commit"] = "1"
        await _requested(client, line, headers)


async def _requested(client: Client, line: Exported, headers: dict[str, str]) -> None:
    where = f"{line.natsstream}@{line.natssequence} ({line.natssubject})"
    try:
        reply = await client.request(line.natssubject, line.body, REQUEST_SECONDS, headers=headers)
    except (TimeoutError, nats.errors.Error) as error:
        words = f"The log did not take {where} ({type(error).__name__}); the same import again goes on from there."
        raise CannotStartError(words) from error
    failed = msgspec.json.decode(reply.data, type=_Ack).error if reply.data else None
    if failed is not None and failed.err_code in _SOMEBODY_ELSE:
        raise CannotStartError(
            f"Somebody else appended to {line.natsstream} meanwhile ({failed.description}): stop the services, and "
            "import into an empty installation."
        )
    if failed is not None:
        raise CannotStartError(f"The log refused {where}: {failed.description}.")


class _Error(msgspec.Struct, frozen=True):
    description: str = ""
    err_code: int = 0


class _Ack(msgspec.Struct, frozen=True):
    error: _Error | None = None
