"""What operators ask about rebuilds, answered by every service alike."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from tonetouch_contracts.manifest import stream_of
from tonetouch_contracts.message import Command
from tonetouch_contracts.operating import (
    CancelTables,
    ContinueTables,
    DropTables,
    ListRebuilds,
    ListRecalled,
    RebuildKind,
    RebuildTables,
    RecalledRows,
    RecallTable,
    SwitchTables,
    TablesPhase,
    TablesRebuild,
    TablesRebuilds,
    VerifyTables,
)
from tonetouch_runtime._clock import moment, stamp
from tonetouch_runtime._standing import stands
from tonetouch_runtime.errors import NotNow, Refused
from tonetouch_runtime.rebuilding.comparing import positions_of
from tonetouch_runtime.rebuilding.making import tables_of
from tonetouch_runtime.rebuilding.rebuild import UNFINISHED, Rebuild, add, change, find, latest, next_number
from tonetouch_runtime.rebuilding.rebuilding import Rebuilding
from tonetouch_runtime.rebuilding.recalling import places

LISTED = 50
MOST_ROWS = 1_000

REPLACED_KEPT = timedelta(seconds=10)
"""Questions that were begun on the replaced tables end by then, in other replicas too."""

Answer = Callable[[Any], Awaitable[Any]]
Record = Callable[[str, str, str, str], Awaitable[None]]
"""Keeps what an operator did: who, what, about what, and why."""


class Answers:
    """The answers of one service."""

    def __init__(self, rebuilding: Rebuilding, record: Record) -> None:
        self._rebuilding = rebuilding
        self._ground = rebuilding.ground
        self._record = record

    @property
    def all(self) -> Mapping[type[Command[Any]], Answer]:
        """What is answered, and by whom."""
        return {
            ListRebuilds: self.list_rebuilds,
            RebuildTables: self.rebuild,
            VerifyTables: self.verify,
            RecallTable: self.recall,
            ListRecalled: self.list_recalled,
            CancelTables: self.cancel,
            ContinueTables: self.go_on,
            SwitchTables: self.switch,
            DropTables: self.drop,
        }

    async def list_rebuilds(self, _: ListRebuilds) -> TablesRebuilds:
        """The latest, the newest first."""
        async with self._ground.switching:
            # Somebody watches a rebuild with this, again and again, beside all who ask the service something else.
            found = await self._ground.read.glance(lambda connection: latest(connection, LISTED))
        views = [await self._view(rebuild) for rebuild in found]
        tables = tuple(sorted(self._rebuilding.entries))
        return TablesRebuilds(service=self._ground.service, tables=tables, rebuilds=tuple(views))

    async def rebuild(self, command: RebuildTables) -> TablesRebuilds:
        """Begin; the answer does not wait for the end."""
        made = [self._new("rebuild", table, command, switch=command.switch) for table in self._meant(command.table)]
        return await self._begin(made)

    async def verify(self, command: VerifyTables) -> TablesRebuilds:
        """Begin; the answer does not wait for the end."""
        return await self._begin([self._new("verify", table, command) for table in self._meant(command.table)])

    async def recall(self, command: RecallTable) -> TablesRebuild:
        """Begin; the answer does not wait for the end."""
        (table,) = self._meant(command.table)
        streams = sorted({stream_of(event).name for event in self._rebuilding.entries[table].hears})
        until = await places(self._ground.bus, streams, command.positions, command.at)
        made = self._new("recall", table, command, until=until)
        await self._begin([made])
        return await self._view(await self._found(made.id))

    async def list_recalled(self, command: ListRecalled) -> RecalledRows:
        """Rows of a recalled table, or of one beside it, in the order of their keys."""
        rebuild = await self._found(command.id)
        if rebuild.phase != "recalled" or not rebuild.kept:
            raise Refused("conflict", f"There are no recalled rows under {command.id}: it is {rebuild.phase}.")
        declared = command.beside or rebuild.table_name
        tables = {table.name: table for table in tables_of(self._rebuilding.projection_of(rebuild))}
        table = tables.get(rebuild.name_of(declared))
        if table is None:
            raise Refused("not_found", f"{declared} is not kept beside {rebuild.table_name}.")
        size = max(1, min(command.limit, MOST_ROWS))
        keys = list(table.primary_key)
        wanted = select(table).order_by(*keys).offset(max(0, command.offset)).limit(size + 1)
        wanted = wanted if command.key is None else wanted.where(keys[0] == command.key)
        database = await self._rebuilding.scratch()
        names = [str(column.name) for column in table.c]
        found = await database.read(lambda connection: connection.execute(wanted).all())
        rows = tuple(dict(zip(names, row, strict=True)) for row in found[:size])
        more = command.offset + size if len(found) > size else None
        return RecalledRows(table=declared, rows=rows, next_offset=more)

    async def cancel(self, command: CancelTables) -> TablesRebuild:
        """Stop one that is under way."""
        return await self._move(command, "cancel rebuild", (*UNFINISHED, "compared"), phase="cancelled")

    async def go_on(self, command: ContinueTables) -> TablesRebuild:
        """Go on with one that was cancelled or failed."""
        waiting = {"phase": "waiting", "problem": "", "ended_at": None, "kept": True}
        return await self._move(command, "continue rebuild", ("cancelled", "failed"), **waiting)

    async def switch(self, command: SwitchTables) -> TablesRebuild:
        """Let it take the place of the live tables, once it has read what came since it was compared."""
        await self._refuse_unless(await self._found(command.id), "rebuild")
        waiting = {"phase": "waiting", "switch": "always", "ended_at": None}
        return await self._move(command, "switch tables", ("compared",), **waiting)

    async def drop(self, command: DropTables) -> TablesRebuild:
        """Drop what it left."""
        _refuse_nobody(command)
        rebuild = await self._found(command.id)
        if not rebuild.is_over or not (rebuild.kept or rebuild.replaced):
            raise Refused("conflict", f"There is nothing to drop of {rebuild.id}: it is {rebuild.phase}.")
        self._refuse_too_early(rebuild)
        names = rebuild.replaced or [str(table.name) for table in tables_of(self._rebuilding.projection_of(rebuild))]
        await self._refuse_live(names)
        await self._rebuilding.drop(rebuild, names)
        # Rows that differed go with their tables: the examples may be of a person who was erased.
        compared = tuple(msgspec.structs.replace(found, examples=()) for found in rebuild.comparisons)
        left = {"replaced": (), "kept": False, "comparisons": compared}
        return await self._move(command, f"drop {', '.join(names)}", (rebuild.phase,), **left)

    def _meant(self, table: str | None) -> list[str]:
        entries = self._rebuilding.entries
        if table is None:
            return list(entries)
        if table not in entries:
            raise Refused(
                "not_found", f"{self._ground.service} has no read model {table}.", f"It has {_words(entries)}."
            )
        return [table]

    def _new(self, kind: RebuildKind, table: str, command: Any, **told: Any) -> Rebuild:
        _refuse_nobody(command)
        clock = self._ground.clock
        same = {"operator": command.operator, "reason": command.reason, "started_at": stamp(clock.now())}
        return Rebuild(id=clock.new_id(), table_name=table, number=0, kind=kind, **same, **told)

    async def _begin(self, made: Sequence[Rebuild]) -> TablesRebuilds:
        def keep(connection: Connection) -> None:
            under_way = {one.table_name: one for one in latest(connection, 1000) if not one.is_over}
            for rebuild in made:
                if rebuild.table_name in under_way:
                    running = under_way[rebuild.table_name]
                    words = f"A {running.kind} of {rebuild.table_name} is under way since {running.started_at}."
                    raise Refused("conflict", words, f"Wait for it, or cancel it: {running.id}.")
                number = next_number(connection, rebuild.table_name)
                add(connection, msgspec.structs.replace(rebuild, number=number))

        await self._ground.read.write(keep)
        for rebuild in made:
            await self._record(rebuild.operator, rebuild.kind, rebuild.table_name, rebuild.reason)
        self._rebuilding.wake()
        return await self.list_rebuilds(ListRebuilds())

    async def _move(self, command: Any, what: str, among: Sequence[TablesPhase], **columns: Any) -> TablesRebuild:
        _refuse_nobody(command)
        rebuild = await self._found(command.id)
        if columns.get("phase") == "cancelled":
            columns["ended_at"] = stamp(self._ground.clock.now())
        if not await self._ground.read.write(lambda to: change(to, command.id, among=among, **columns)):
            raise Refused("conflict", f"It is {rebuild.phase}; for this it has to be {_words(among)}.")
        await self._record(command.operator, what, rebuild.table_name, command.reason)
        self._rebuilding.wake()
        return await self._view(await self._found(command.id))

    async def _found(self, rebuild_id: str) -> Rebuild:
        found = await self._ground.read.read(lambda connection: find(connection, rebuild_id))
        if found is None:
            raise Refused("not_found", f"There is no rebuild {rebuild_id}.", "Look for its id in the list of rebuilds.")
        return found

    async def _refuse_unless(self, rebuild: Rebuild, kind: RebuildKind) -> None:
        if rebuild.kind != kind:
            raise Refused("conflict", f"A {rebuild.kind} takes no table's place.")

    def _refuse_too_early(self, rebuild: Rebuild) -> None:
        if rebuild.replaced and rebuild.ended_at is not None:
            left = moment(rebuild.ended_at) + REPLACED_KEPT - self._ground.clock.now()
            if left > timedelta():
                raise NotNow(left.total_seconds(), "questions may still be at the replaced tables")

    async def _refuse_live(self, names: Sequence[str]) -> None:
        live = await self._ground.read.read(stands)
        if set(names) & set(live.values()) or (names[0] in self._rebuilding.entries and names[0] not in live):
            raise Refused("conflict", f"{names[0]} answers questions; it is not dropped.")

    async def _view(self, rebuild: Rebuild) -> TablesRebuild:
        done, total = rebuild.done, rebuild.total or rebuild.done
        if not rebuild.is_over:
            done, total = await self._progress(rebuild)
        speed = (done - rebuild.began_with) / max(time.time() - rebuild.began_at, 0.001)
        is_measured = not rebuild.is_over and rebuild.began_at > 0 and speed > 0
        return TablesRebuild(
            id=rebuild.id,
            table=rebuild.table_name,
            kind=rebuild.kind,
            phase=rebuild.phase,
            stands_as=rebuild.stands_as,
            done=done,
            total=total,
            operator=rebuild.operator,
            reason=rebuild.reason,
            started_at=rebuild.started_at,
            ended_at=rebuild.ended_at,
            per_second=speed if is_measured else None,
            seconds_left=(total - done) / speed if is_measured else None,
            problem=rebuild.problem,
            until=rebuild.until,
            comparisons=rebuild.comparisons,
            kept=rebuild.kept,
            replaced_kept=bool(rebuild.replaced),
        )

    async def _progress(self, rebuild: Rebuild) -> tuple[int, int]:
        into, live = await self._rebuilding.database_of(rebuild), self._live_name(rebuild)
        at = await into.glance(lambda connection: positions_of(connection, rebuild.stands_as))
        goals = rebuild.until or await self._ground.read.glance(lambda connection: positions_of(connection, live))
        return sum(at.values()), max(sum(goals.values()), sum(at.values()))

    def _live_name(self, rebuild: Rebuild) -> str:
        entry = self._rebuilding.entries.get(rebuild.table_name)
        return rebuild.table_name if entry is None else str(self._ground.tables.live(entry.model).name)


def _refuse_nobody(command: Any) -> None:
    if not command.operator.strip():
        raise Refused("invalid", "Say who you are: operator is empty.")


def _words(names: Any) -> str:
    return ", ".join(map(str, names))
