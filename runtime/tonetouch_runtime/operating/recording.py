"""What operators did to this service: who, when, what, about what, and why. Written before it is done."""

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, insert, select

from tonetouch_contracts.message import Page
from tonetouch_contracts.operating import ListOperations, Operation
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._paging import decode_cursor, encode_cursor, page_size
from tonetouch_runtime._tables import Database
from tonetouch_runtime.errors import Refused

operations = Table(
    "operations",
    MetaData(),
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", String(40), nullable=False),
    Column("operator", String(120), nullable=False),
    Column("what", String(40), nullable=False),
    Column("about", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
"""One row for each operation, in the order in which they were asked for."""

MOST_OPERATOR = 120
MOST_REASON = 2000


class Operations:
    """The record of operations, in the `state` database."""

    def __init__(self, state: Database, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        state.create(operations)

    async def note(
        self, operator: str, what: str, about: str, reason: str, *, needs_reason: bool = False
    ) -> tuple[str, str]:
        """Keep who does what, and why, and say both as they were kept.

        Raises Refused where nobody is named, or no reason where one is needed.
        """
        operator, reason = _plain(operator), _plain(reason)
        if not 0 < len(operator) <= MOST_OPERATOR:
            raise Refused("invalid", f"Say who you are, in {MOST_OPERATOR} characters at the most.")
        if needs_reason and not reason:
            raise Refused("invalid", "This needs a reason.", "Say why: somebody will ask one day.")
        if len(reason) > MOST_REASON:
            raise Refused("invalid", f"A reason has {MOST_REASON:,} characters at the most.")
        row = {
            "at": stamp(self._clock.now()),
            "operator": operator,
            "what": what,
            "about": _plain(about),
            "reason": reason,
        }
        await self._state.write(lambda connection: connection.execute(insert(operations), row))
        return operator, reason

    async def listed(self, command: ListOperations) -> Page[Operation]:
        """What was done, the latest first."""
        limit = page_size(command.limit)
        wanted = select(operations).order_by(operations.c.number.desc()).limit(limit + 1)
        if command.cursor is not None:
            (number,) = decode_cursor(command.cursor, int)
            wanted = wanted.where(operations.c.number < number)
        rows = await self._state.read(lambda connection: connection.execute(wanted).mappings().all())
        items = tuple(Operation(**row) for row in rows[:limit])
        return Page(items=items, next_cursor=encode_cursor(items[-1].number) if len(rows) > limit else None)


def _plain(text: str) -> str:
    # PostgreSQL takes no zero byte.
    return text.replace("\0", "").strip()
