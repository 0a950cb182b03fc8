"""Embed: vectors of what the track is and of what it says.

Finds `EmbeddingDone`, one for each passage of the lyrics and one for the description, in one decision.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from tonetouch_contracts.identity import ContentHash, JobId, TrackId, derived
from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import EmbeddingDone, EmbeddingKind
from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.description import describe
from tonetouch_ingest.listening.lyrics import parse_lyrics, passages
from tonetouch_runtime import Floor
from tonetouch_runtime.ai import Embedded, TextToEmbed, Whose

FEATURE = "ingest.embed"


class _Text(msgspec.Struct, frozen=True, kw_only=True):
    attempt: Attempt
    kind: EmbeddingKind
    passage: int
    text: str

    @property
    def job_id(self) -> JobId:
        """The description's job is the step's own; each passage has one beside it."""
        if self.kind == "description":
            return self.attempt.job_id
        return JobId(derived("job", self.attempt.track_id, "embed", str(self.passage)))


async def embed(attempts: Sequence[Attempt], floor: Floor) -> Mapping[TrackId, Sequence[Event]]:
    """Embed the texts of several tracks, the model being asked for at most 25 at a time."""
    batches = await asyncio.to_thread(lambda: [text for attempt in attempts for text in _texts(attempt)])
    wanted = [
        TextToEmbed(text=one.text, subject=one.attempt.subject, job_id=one.job_id, attempt=one.attempt.number)
        for one in batches
    ]
    answers = await floor.ai.embed(wanted, Whose(feature=FEATURE, subject="", priority="ingest"))
    found: dict[TrackId, list[Event]] = {attempt.track_id: [] for attempt in attempts}
    for one, answer in zip(batches, answers, strict=True):
        found[one.attempt.track_id].append(_done(one, answer))
    return found


def _texts(attempt: Attempt) -> list[_Text]:
    """The passages, and the description last: with it the step is done."""
    analysed = attempt.upload.analysed
    assert analysed is not None, "embed waits for analyse"
    lyrics = passages(parse_lyrics(attempt.staged.lyrics)) if attempt.staged.lyrics else ()
    texts = [
        _Text(attempt=attempt, kind="lyrics", passage=number, text=passage) for number, passage in enumerate(lyrics)
    ]
    description = describe(attempt.staged, analysed)
    return [*texts, _Text(attempt=attempt, kind="description", passage=0, text=description)]


def _done(one: _Text, answer: Embedded) -> EmbeddingDone:
    return EmbeddingDone(
        track_id=one.attempt.track_id,
        kind=one.kind,
        passage=one.passage,
        text=one.text,
        text_hash=ContentHash(hashlib.sha256(one.text.encode()).hexdigest()),
        model=answer.model,
        dimension=answer.dimension,
        vector=answer.vector.astype(np.dtype("<f2")).tobytes(),
        job_id=answer.job_id,
    )
