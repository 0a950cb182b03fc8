"""Mixes that are there before they are asked for.

What is made for a listener depends on their taste, on what they heard lately and never want again, on the day, and on
the tracks there are. As long as none of that changes it would be made the same again, so it is remembered; and when a
play or a word of theirs has changed their taste, it is made anew at once, before they ask. Nothing here is a source of
truth: whatever is missing is made when it is asked for.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import structlog

from tonetouch_contracts.finding import MakeForYou
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.learning import Kind
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_runtime import Floor

log = structlog.get_logger()

MOST: Final = 1_000
"""Answers that are remembered, those asked for last."""
MOST_WAITING: Final = 100
"""Answers that wait to be made anew; of a crowd the others are made when they are asked for."""

COUNTED: Final = 4_096
"""Changes are counted of so many groups of listeners: who shares one is made anew once too often."""

Mixes = Sequence[tuple[Recipe, Made]]
Making = Callable[[MakeForYou], Awaitable[object]]


class _Remembered(NamedTuple):
    recipe: Recipe
    mixes: Mixes


class Ahead:
    """What was made for the listeners who asked last."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[MakeForYou, _Remembered] = OrderedDict()
        self._asked_by: dict[str, set[MakeForYou]] = {}
        self._changes = [0] * COUNTED
        self._of_all = 0
        self._waiting: asyncio.Queue[MakeForYou] = asyncio.Queue(MOST_WAITING)

    def known(self, asked: MakeForYou, recipe: Recipe) -> Mixes | None:
        """What was made by this very recipe, if nothing else that it was made from has changed since."""
        found = self._remembered.get(asked)
        if found is None or found.recipe != recipe:
            return None
        self._remembered.move_to_end(asked)
        return found.mixes

    def edition(self, user_id: str) -> tuple[int, int]:
        """Changes whenever something does that a listener's mixes are made from, beside their recipe."""
        return self._of_all, self._changes[hash(user_id) % COUNTED]

    def remember(self, asked: MakeForYou, recipe: Recipe, mixes: Mixes, edition: tuple[int, int]) -> None:
        """Keep what was made, unless something has changed since the edition that it was begun with."""
        if edition != self.edition(asked.user_id):
            return
        self._remembered[asked] = _Remembered(recipe, mixes)
        self._remembered.move_to_end(asked)
        self._asked_by.setdefault(asked.user_id, set()).add(asked)
        while len(self._remembered) > MOST:
            self._forget(next(iter(self._remembered)))

    def changed(self, kind: Kind, ids: Sequence[str]) -> None:
        """Another track may be in anybody's mix; another taste is made anew at once for who asked lately."""
        if kind in ("track", "renewed"):
            self._of_all += 1
            self._remembered.clear()
            self._asked_by.clear()
        elif kind == "user":
            for user_id in ids:
                self._changes[hash(user_id) % COUNTED] += 1
                for asked in tuple(self._asked_by.get(user_id, ())):
                    self._forget(asked)
                    with contextlib.suppress(asyncio.QueueFull):
                        self._waiting.put_nowait(asked)

    async def follow(self, make: Making) -> None:
        """Make anew what has changed, one after the other, for ever."""
        while True:
            asked = await self._waiting.get()
            try:
                await make(asked)
            except Exception:
                log.exception("mixes_not_made_ahead", user_id=asked.user_id)

    def _forget(self, asked: MakeForYou) -> None:
        del self._remembered[asked]
        others = self._asked_by[asked.user_id] - {asked}
        if others:
            self._asked_by[asked.user_id] = others
        else:
            del self._asked_by[asked.user_id]


@contextlib.asynccontextmanager
async def making_ahead(floor: Floor, make: Callable[[MakeForYou, Floor], Awaitable[object]]) -> AsyncIterator[Ahead]:
    """Remember, and make anew, for as long as the service runs."""
    ahead = Ahead()
    floor.get(Indexes).after_change.append(ahead.changed)
    following = asyncio.create_task(ahead.follow(lambda asked: make(asked, floor)))
    try:
        yield ahead
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
