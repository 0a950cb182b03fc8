"""Reembedding: every stored text gets a vector of another model before the indexes change over to it.

Asks ingest `EmbedAgain`, some tracks at a time, and sees in the tables what came of it: killed, it asks again for what
still lacks a vector, and what waits on the queue already is not queued twice.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import and_, func, select

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.indexing import EmbedAgain
from tonetouch_recommend.learning import EmbeddingRow
from tonetouch_runtime import Floor, TonetouchError

ASKED_AT_ONCE: Final = 400
"""Tracks that may wait on the queue for us: enough to keep every worker busy, few enough to be overtaken."""

ASK_AGAIN_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.5
_NOTHING_MOVES: Final = (
    f"no text was embedded for {ASK_AGAIN_SECONDS:.0f} s: `tonetouch ledger jobs --feature ingest.embed` and the logs "
    "of ingest say why"
)
_ANSWERED_WITHIN_SECONDS: Final = 10.0

Tell = Callable[[int, int, str], None]
"""Is told how many texts have a vector of the model, how many there are, and why it does not go on."""


async def embed_again(model: str, floor: Floor, tell: Tell) -> None:
    """Return when every text has a vector of the model, or is known to be refused by it."""
    done, total = await counted(model, floor)
    waiting, asked, start, moved_at = "", set[str](), "", time.monotonic()
    tell(done, total, waiting)
    while done < total:
        lacking = await _lacking(model, start, floor)
        start = lacking[0] if lacking else ""  # nearly all that is before it is done; the rest comes at last
        if wanted := [track for track in lacking if track not in asked]:
            waiting = await _ask(wanted, model, floor)
            asked = asked.intersection(lacking).union([] if waiting else wanted)
        await asyncio.sleep(_LOOK_SECONDS)
        before, done = done, await _done(model, floor)
        if done > before:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > ASK_AGAIN_SECONDS:
            asked, moved_at, waiting = set(), time.monotonic(), waiting or _NOTHING_MOVES
        if done >= total:
            done, total = await counted(model, floor)
        tell(done, total, "" if done > before else waiting)


async def counted(model: str, floor: Floor) -> tuple[int, int]:
    """How many texts the model has embedded or refused, and how many there are."""
    embeddings = floor.tables.live(EmbeddingRow)
    texts = select(embeddings.c.track_id, embeddings.c.kind, embeddings.c.passage).distinct().subquery()
    row = await floor.tables.one(select(func.count().label("number")).select_from(texts))
    return await _done(model, floor), int(row["number"]) if row else 0


async def _done(model: str, floor: Floor) -> int:
    embeddings = floor.tables.live(EmbeddingRow)
    of_it = select(func.count().label("number")).select_from(embeddings).where(embeddings.c.model == model)
    row = await floor.tables.one(of_it)
    return int(row["number"]) if row else 0


async def _lacking(model: str, start: str, floor: Floor) -> list[str]:
    """The first tracks from `start` on with a text that the model has not seen."""
    embeddings = floor.tables.live(EmbeddingRow)
    seen = embeddings.alias()
    same = and_(
        *(seen.c[name] == embeddings.c[name] for name in ("track_id", "kind", "passage")), seen.c.model == model
    )
    unseen = select(embeddings.c.track_id).where(~select(seen.c.track_id).where(same).exists())
    some = unseen.where(embeddings.c.track_id >= start).distinct().order_by(embeddings.c.track_id)
    return [row["track_id"] for row in await floor.tables.all(some.limit(ASKED_AT_ONCE))]


async def _ask(track_ids: Sequence[str], model: str, floor: Floor) -> str:
    """Have the tracks queued. Says why they are not, or nothing."""
    try:
        answer = (
            await floor.ask(EmbedAgain(track_ids=tuple(map(TrackId, track_ids))), timeout=_ANSWERED_WITHIN_SECONDS)
        ).value
    except TonetouchError as error:
        return f"ingest does not take the texts ({error})"
    if answer.model != model:
        return (
            f"ingest embeds with {answer.model} and the indexes are to be of {model}: give both services the same "
            "account and routing table (TONETOUCH_AI_ROUTES)"
        )
    return ""
