"""Erasing a person: their key is destroyed, tables and indexes are made anew without them, and all is looked through.

What they said in the log cannot be read by anybody from then on. That they did something, under an id which leads to
nobody any more, stays in the log; no table shows it. Everything may be done twice, and goes on where it was broken off.
"""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import msgspec
from nats.aio.client import Client

from tonetouch_contracts.indexing import ListIndexes, RebuildIndexes
from tonetouch_contracts.manifest import STREAMS, VOCABULARY
from tonetouch_contracts.message import Event
from tonetouch_contracts.operating import DropTables, ListRebuilds, RebuildTables
from tonetouch_contracts.personal import marks_of
from tonetouch_contracts.subjects import type_filter
from tonetouch_contracts.vocabulary import UndecodableError
from tonetouch_deploy.events.passing import Passage, Start
from tonetouch_deploy.events.reaching import RefusedError, asked
from tonetouch_deploy.events.rebuilding import watched
from tonetouch_deploy.events.stored import Stored
from tonetouch_deploy.settings import CannotStartError
from tonetouch_runtime import Settings, TonetouchError
from tonetouch_runtime.people import ERASED, Keys
from tonetouch_runtime.people.keys import Erasure

SHOWING = ("catalog", "ingest", "recommend")
"""The services whose tables show what people said or did."""

ACCOUNTS = "ai-ledger"
"""What a model cost stays on the account of an id which leads to nobody any more."""

_FEWEST_CHARACTERS = 3
_LOOK_SECONDS = 0.2
_MOST_LOOKS = 300


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in which somebody is found: by their id, or by words of theirs."""

    service: str
    database: str
    table: str
    by: str
    rows: int

    @property
    def is_account(self) -> bool:
        """Whether it only says what was spent."""
        return self.service == ACCOUNTS and self.by == "id"


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did and what is left: `words` can be read by nobody now, `in_clear` was never sealed.

    `proven`: nothing that was said can be read, and no table shows what was done.
    """

    person: str
    before: bool
    words: int
    in_clear: tuple[str, ...]
    tables: tuple[str, ...]
    traces: tuple[Trace, ...]
    proven: bool


async def erased(client: Client, settings: Settings, person: str, erasure: Erasure, *, quiet: bool) -> Erased:
    """Erase a person, and look for them everywhere. Raises CannotStartError where a part of it has to be done again."""
    keys = Keys(settings.people_folder)
    spoken = [one async for one in _spoken(client, person)]
    # Where this is done again the words are gone already, and there is nothing to look for but those in the clear.
    words = {keys.open(text) for _, text in spoken} - {ERASED, ""}
    try:
        is_new = keys.erase(person, erasure)
    except (OSError, TonetouchError) as error:
        raise CannotStartError(f"The key in {keys.folder} was not destroyed: {error}. Nothing was changed.") from error
    tables = [name for service in SHOWING for name in await _made_anew(client, service, erasure, quiet=quiet)]
    await _index_anew(client)
    for service in SHOWING:
        await _drop_replaced(client, service, erasure)
    clear = tuple(f"{event.stream}@{event.sequence}" for event, text in spoken if keys.open(text) != ERASED)
    traces = tuple(await asyncio.to_thread(lambda: [*_traces(settings.data, person, words)]))
    return Erased(
        person=person,
        before=not is_new,
        words=len(spoken) - len(clear),
        in_clear=clear,
        tables=tuple(tables),
        traces=traces,
        proven=not clear and all(trace.is_account for trace in traces),
    )


async def _spoken(client: Client, person: str) -> AsyncIterator[tuple[Stored, str]]:
    """What a person said, as it stands in the log, event by event."""
    for stream in STREAMS:
        said = {event: marks for event in stream.says if "words" in (marks := marks_of(event)).values()}
        filters = [type_filter(event.wire_name()) for event in said]
        if not filters:
            continue
        passage = await Passage.begin(client, stream.name, Start(), filters=filters)
        async with aclosing(passage.to_the_end()) as batches:
            async for batch in batches:
                for stored in batch:
                    for text in _words(stored, person):
                        yield stored, text


def _words(stored: Stored, person: str) -> list[str]:
    try:
        event: Event = VOCABULARY.decode(stored.type, stored.body)
    except UndecodableError:
        return []
    marks = marks_of(type(event))
    by = {kind: [getattr(event, name) for name, marked in marks.items() if marked == kind] for kind in marks.values()}
    return [text for text in by.get("words", ()) if isinstance(text, str)] if person in by.get("id", ()) else []


async def _made_anew(client: Client, service: str, erasure: Erasure, *, quiet: bool) -> Sequence[str]:
    """Make all tables of a service anew; they take their places though rows differ."""
    before = {rebuild.id for rebuild in (await asked(client, ListRebuilds(), service)).rebuilds}
    begun = (
        await asked(client, RebuildTables(switch="always", operator=erasure.operator, reason=erasure.reason), service)
    ).rebuilds
    ended = await watched(client, service, [one.id for one in begun if one.id not in before], quiet=quiet)
    for rebuild in ended:
        if rebuild.phase != "switched":
            words = f"{rebuild.table} of {service} was not made anew ({rebuild.problem or rebuild.phase})"
            raise CannotStartError(f"The key is destroyed, but {words}: run the same command again.")
    return [f"{service}.{rebuild.table}" for rebuild in ended]


async def _drop_replaced(client: Client, service: str, erasure: Erasure) -> None:
    """Drop the tables that stand beside the live ones: they still show the person."""
    for rebuild in (await asked(client, ListRebuilds(), service)).rebuilds:
        if rebuild.replaced_kept or (rebuild.kept and rebuild.phase != "switched"):
            await _drop(client, service, DropTables(id=rebuild.id, operator=erasure.operator, reason=erasure.reason))


async def _drop(client: Client, service: str, command: DropTables) -> None:
    """As soon as no question is at them any more, which a service says within seconds."""
    for left in reversed(range(_MOST_LOOKS)):
        try:
            await asked(client, command, service)
        except RefusedError as refused:
            if refused.problem.code != "not_yet" or not left:
                raise
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return


async def _index_anew(client: Client) -> None:
    """Taste and playlists are in indexes, too."""
    rebuild = (await asked(client, RebuildIndexes(names=("taste", "playlists")), "recommend")).rebuild
    while rebuild is not None and rebuild.phase not in ("done", "cancelled"):
        await asyncio.sleep(_LOOK_SECONDS)
        rebuild = (await asked(client, ListIndexes(), "recommend")).rebuild


def _traces(data: Path, person: str, words: set[str]) -> Iterator[Trace]:
    """Every row of every database of every service."""
    by_id = re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(person)}(?![A-Za-z0-9_-])")
    long = [re.escape(text) for text in sorted(words) if len(text) >= _FEWEST_CHARACTERS]
    by_words = re.compile("|".join(long)) if long else None
    for path in sorted((data / "tables").glob("*/*.db")):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            tables = database.execute("select name from sqlite_master where type = 'table' order by name").fetchall()
            for (table,) in tables:
                for by, pattern in (("id", by_id), ("words", by_words)):
                    if pattern and (rows := _rows(database, table, pattern)):
                        yield Trace(service=path.parent.name, database=path.stem, table=table, by=by, rows=rows)


def _rows(database: sqlite3.Connection, table: str, pattern: re.Pattern[str]) -> int:
    quoted = table.replace('"', '""')
    rows = database.execute(f'select * from "{quoted}"')  # noqa: S608 - a table of the file
    return sum(any(pattern.search(_text(value)) for value in row) for row in rows)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
