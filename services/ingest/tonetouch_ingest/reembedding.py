"""Reembedding: texts that were embedded once get a vector of the model of now, beside the one they have.

Answers `EmbedAgain`; works on INGEST_Q; says `EmbeddingRenewed`. What is embedded is what stands in the log, so the
texts are the ones that were embedded before, to the letter, and a track that has been done is done again for nothing.
"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Self

import msgspec
import numpy as np
import structlog

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.indexing import MOST_TRACKS, REEMBED, EmbedAgain, EmbeddingQueued, EmbeddingRenewed
from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import EmbeddingDone
from tonetouch_ingest.embedding import FEATURE
from tonetouch_ingest.workflow import delay_after
from tonetouch_runtime import Floor, NotNow, Refused, Router, Task
from tonetouch_runtime.ai import AIInputRefused, Embedded, TextToEmbed, Whose

log = structlog.get_logger()
router = Router()

QUEUED_AT_ONCE = 32

Text = EmbeddingDone | EmbeddingRenewed
Key = tuple[str, int]


class Texts(msgspec.Struct, frozen=True):
    """What of a track was ever embedded, by kind and passage, and by which models. Pure; every fact is on INGEST."""

    said: dict[Key, Text] = {}
    models: frozenset[tuple[Key, str]] = frozenset()

    def evolve(self, event: Event) -> Self:
        """The texts after this event."""
        if not isinstance(event, EmbeddingDone | EmbeddingRenewed):
            return self
        key = (event.kind, event.passage)
        return type(self)({**self.said, key: event}, self.models | {(key, event.model)})

    def without(self, model: str) -> list[Text]:
        """Those that the model has neither embedded nor refused, the description last as ever."""
        left = [(key, text) for key, text in self.said.items() if (key, model) not in self.models]
        return [text for key, text in sorted(left, key=lambda one: (one[0][0] == "description", one[0]))]


@router.answers(EmbedAgain)
async def embed_again(command: EmbedAgain, floor: Floor) -> EmbeddingQueued:
    """Queue the tracks. Raises Refused for too many of them, AIUnavailable where no model embeds."""
    if len(command.track_ids) > MOST_TRACKS:
        raise Refused("invalid", f"{len(command.track_ids)} tracks are more than the {MOST_TRACKS} of one request.")
    model = floor.ai.embedding_model(FEATURE)
    hands = asyncio.Semaphore(QUEUED_AT_ONCE)

    async def queue(track_id: TrackId) -> bool:
        async with hands:
            return await floor.enqueue("INGEST_Q", REEMBED, track_id)

    queued = await asyncio.gather(*map(queue, command.track_ids))
    return EmbeddingQueued(model=model, queued=sum(queued))


@router.works_batch("INGEST_Q", REEMBED, consumer="ingest-reembed", at_most=25)
async def reembed(tasks: Sequence[Task], floor: Floor) -> None:
    """Several tracks at once: their texts go to the model together, 25 at most in a call, behind whoever waits."""
    model = floor.ai.embedding_model(FEATURE)
    loaded = await asyncio.gather(*(floor.log.load("INGEST", task.entity_id, Texts()) for task in tasks))
    wanted = [text for track in loaded for text in track.state.without(model)]
    try:
        renewed = await _renewed(wanted, floor)
    except Exception as error:
        # The queue keeps the tasks, and what was answered is kept too: nothing is paid for twice.
        log.warning("reembedding_failed", tracks=len(tasks), texts=len(wanted), error=repr(error))
        raise NotNow(delay_after(min(max(task.deliveries for task in tasks), 10))) from error
    for task in tasks:
        mine = [one for one in renewed if one.track_id == task.entity_id]
        if mine:
            with task.in_its_story():
                await floor.log.transact("INGEST", task.entity_id, Texts(), partial(_still_wanted, renewed=mine))


def _still_wanted(texts: Texts, renewed: Sequence[EmbeddingRenewed]) -> Sequence[EmbeddingRenewed]:
    return [one for one in renewed if ((one.kind, one.passage), one.model) not in texts.models]


async def _renewed(texts: Sequence[Text], floor: Floor) -> list[EmbeddingRenewed]:
    try:
        answers = await _embedded(texts, floor)
    except AIInputRefused:
        return [await _alone(text, floor) for text in texts]  # one of them is at fault: it is told from the rest
    return [_of(text, answer) for text, answer in zip(texts, answers, strict=True)]


async def _alone(text: Text, floor: Floor) -> EmbeddingRenewed:
    try:
        [answer] = await _embedded([text], floor)
    except AIInputRefused as refused:
        model = floor.ai.embedding_model(FEATURE)
        return _said(text, model=model, dimension=0, vector=None, job_id=None, refused=str(refused))
    return _of(text, answer)


async def _embedded(texts: Iterable[Text], floor: Floor) -> list[Embedded]:
    asked = [TextToEmbed(text=one.text, subject=f"track:{one.track_id}") for one in texts]
    return await floor.ai.embed(asked, Whose(feature=FEATURE, subject="", priority="refresh")) if asked else []


def _of(text: Text, answer: Embedded) -> EmbeddingRenewed:
    vector = answer.vector.astype(np.dtype("<f2")).tobytes()
    return _said(text, model=answer.model, dimension=answer.dimension, vector=vector, job_id=answer.job_id)


def _said(text: Text, **found: object) -> EmbeddingRenewed:
    same = {name: getattr(text, name) for name in ("track_id", "kind", "passage", "text", "text_hash")}
    return EmbeddingRenewed(**same, **found)  # type: ignore[arg-type]
