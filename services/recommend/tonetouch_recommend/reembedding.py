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
_ANSWERED_WITHIN_SECONDS: Final = 10.0

Tell = Callable[[int, int, str], None]
"""Is told how many texts have a vector of the model, how many there are, and why it does not go on."""


async def embed_again(model: str, floor: Floor, tell: Tell) -> None:
    """Return when every text has a vector of the model, or is known to be refused by it."""
    waiting, asked, moved_at, done = "", set[str](), time.monotonic(), -1
    while True:
        before, (done, total) = done, await counted(model, floor)
        if done > before:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > ASK_AGAIN_SECONDS:
            asked, moved_at = set(), time.monotonic()
            waiting = waiting or (
                f"no text was embedded for {ASK_AGAIN_SECONDS:.0f} s: `tonetouch ledger jobs --feature ingest.embed` "
                "and the logs of ingest say why"
            )
        tell(done, total, "" if done > before else waiting)
        if done >= total:
            return
        wanted = [track for track in await _lacking(model, floor) if track not in asked]
        if wanted:
            waiting = await _ask(wanted, model, floor)
            asked.update([] if waiting else wanted)
        await asyncio.sleep(_LOOK_SECONDS)


async def counted(model: str, floor: Floor) -> tuple[int, int]:
    """How many texts the model has embedded or refused, and how many there are."""
    embeddings = floor.tables.live(EmbeddingRow)
    texts = select(embeddings.c.track_id, embeddings.c.kind, embeddings.c.passage).distinct().subquery()
    of_it = select(func.count()).select_from(embeddings).where(embeddings.c.model == model)
    row = await floor.tables.one(
        select(
            of_it.scalar_subquery().label("done"), select(func.count()).select_from(texts).scalar_subquery().label("n")
        )
    )
    return (int(row["done"]), int(row["n"])) if row else (0, 0)


async def _lacking(model: str, floor: Floor) -> list[str]:
    """The first tracks with a text that the model has not seen."""
    embeddings = floor.tables.live(EmbeddingRow)
    seen = embeddings.alias()
    same = and_(
        *(seen.c[name] == embeddings.c[name] for name in ("track_id", "kind", "passage")), seen.c.model == model
    )
    unseen = select(embeddings.c.track_id).where(~select(seen.c.track_id).where(same).exists()).distinct()
    rows = await floor.tables.all(unseen.order_by(embeddings.c.track_id).limit(ASKED_AT_ONCE))
    return [row["track_id"] for row in rows]


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
