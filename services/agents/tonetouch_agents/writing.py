"""Texts are written: a model is asked with the context, its answer is checked, and what stands is kept.

Hears `CopyAsked`; says `CopyBegun`, then `CopyWritten`, `CopySkipped` or `CopyFailed`, with `DraftDiscarded` before
where a model's answer was of no use and the embedded writer wrote instead. One writer at a time for one text: the log
decides. A killed writer's ask comes back by itself, under the next attempt of its job.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import select

from tonetouch_agents.answer import SCHEMA, Nonsense, sentences_of
from tonetouch_agents.building import context_of, known_context
from tonetouch_agents.checking import CHECKER, check_copy
from tonetouch_agents.collecting import AlbumRow, ArtistRow
from tonetouch_agents.context import Context, hash_of_facts
from tonetouch_agents.copy import Copy, begin, failed, settle
from tonetouch_agents.facts import numbered
from tonetouch_agents.kinds import PROMPTS, template_of
from tonetouch_agents.subject import Subject
from tonetouch_agents.warming import Warming
from tonetouch_contracts.copy import (
    CitedFact,
    CopyAsked,
    CopyBegun,
    CopySentence,
    CopySkipped,
    CopyWritten,
    DraftDiscarded,
    DroppedSentence,
)
from tonetouch_contracts.identity import JobId, derived
from tonetouch_contracts.message import Event
from tonetouch_runtime import Floor, Recorded, Refused, Router, Unavailable
from tonetouch_runtime.ai import AIUnavailable, Answered, Whose
from tonetouch_runtime.ai.local import Fact, Sentence
from tonetouch_runtime.ai.prompts import Prompt, Prompts, load_prompts
from tonetouch_runtime.ai.providers.local import LocalProvider
from tonetouch_runtime.ai.tasks import Chat, ChatResult, Message

log = structlog.get_logger()
router = Router()


@contextlib.asynccontextmanager
async def opening_prompts(floor: Floor) -> AsyncIterator[Prompts]:
    """The prompts of this service, read and checked at the start. Raises Misconfigured."""
    yield load_prompts(Path(__file__).parent / "prompts").need(PROMPTS.values())


@contextlib.asynccontextmanager
async def opening_warming(floor: Floor) -> AsyncIterator[Warming]:
    """Which contexts are warm, for as long as this process lives."""
    yield Warming()


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one text is written from."""

    asked: CopyAsked
    begun: CopyBegun
    prompt: Prompt
    context: Context | None
    own: tuple[CitedFact, ...]
    seed: int | None = None

    @property
    def facts(self) -> tuple[CitedFact, ...]:
        """All facts, by number: the context's and those the ask brought along."""
        return (*(self.context.facts if self.context else ()), *self.own)

    @property
    def told(self) -> tuple[CitedFact, ...]:
        """The facts that patterns are filled with: an ask that brings its own is about those."""
        return self.own or self.facts

    @property
    def material(self) -> tuple[str, ...]:
        """Other people's words that are no facts."""
        lyrics = (self.asked.lyrics,) if self.asked.lyrics else ()
        return (*lyrics, *(self.context.lyrics if self.context else ()))


@router.hears(CopyAsked, consumer="agents-writing")
async def write(fact: Recorded[CopyAsked], floor: Floor) -> None:
    """Write what was asked for, unless it was written meanwhile."""
    asked = fact.event
    outcome = await floor.log.transact("AGENTS", asked.copy_id, Copy(), partial(begin, ask_id=asked.ask_id))
    begun = next(iter(outcome.events), None)
    if not isinstance(begun, CopyBegun):
        return
    try:
        said = await _said(asked, begun, outcome.state, floor)
    except Exception as error:
        # Whoever waits for the text is told, whatever it was: a text that hangs can be retried by nobody.
        may_pass = isinstance(error, Unavailable) and not isinstance(error, AIUnavailable)
        if not isinstance(error, Refused | Unavailable):
            log.warning("copy_failed", kind=asked.kind, subject=asked.subject, error=repr(error), exc_info=True)
        reason = str(error).replace("\0", "\N{REPLACEMENT CHARACTER}") or type(error).__name__
        said = (failed(asked, attempt=begun.attempt, reason=reason, may_pass=may_pass),)
    await floor.log.transact("AGENTS", asked.copy_id, Copy(), partial(settle, ask_id=asked.ask_id, said=said))


async def _said(asked: CopyAsked, begun: CopyBegun, copy: Copy, floor: Floor) -> Sequence[Event]:
    """Ask a model; where its answer is of no use, say so and have the embedded writer write."""
    draft = await _draft(asked, begun, copy, floor)
    request = _request(draft)
    async with floor.get(Warming).turn(draft.context.sha256 if draft.context else None):
        answered = await floor.ai.ask(request, _whose(draft))
    kept, dropped, reason = _read(draft, answered)
    if kept:
        return (_written(draft, answered, kept, dropped),)
    if reason is None:
        return (_skipped(draft),)
    discarded = DraftDiscarded(
        copy_id=asked.copy_id,
        ask_id=asked.ask_id,
        job_id=begun.job_id,
        attempt=begun.attempt,
        provider=answered.provider,
        model=answered.model,
        reason=reason,
        dropped=dropped,
    )
    instead = await _embedded(draft, request, floor)
    if not instead.result.text:
        return (discarded, _skipped(draft))
    return (discarded, _written(draft, instead, instead.result.sentences, dropped))


async def _draft(asked: CopyAsked, begun: CopyBegun, copy: Copy, floor: Floor) -> Draft:
    subject = Subject.read(asked.subject)
    if subject.about == "track":
        # Of a track on its way the catalogue knows nothing yet: nothing is built for it.
        context = await known_context(await _where_it_belongs(asked, floor), floor)
    elif (context := await context_of(subject, floor)) is None:
        raise Refused("not_found", f"There is no {subject}.")
    return Draft(
        asked=asked,
        begun=begun,
        prompt=floor.get(Prompts)[PROMPTS[asked.kind]],
        context=context,
        own=numbered(asked.known, "T"),
        # Another question for the same model, or its discarded answer would come back from the cache.
        seed=copy.discarded or None,
    )


async def _where_it_belongs(asked: CopyAsked, floor: Floor) -> Subject | None:
    """The album of a track, else its artist, as far as the catalogue has them."""
    named = {one.name: one.value for one in asked.known}
    artists, albums = floor.tables.live(ArtistRow), floor.tables.live(AlbumRow)
    artist = await floor.tables.one(
        select(artists).where(artists.c.name == _comparable(named.get("artist"))).order_by(artists.c.artist_id).limit(1)
    )
    if artist is None:
        return None
    own = albums.c.artist_id == artist["artist_id"]
    album = await floor.tables.one(
        select(albums).where(own, albums.c.title == _comparable(named.get("album"))).limit(1)
    )
    return Subject("artist", artist["artist_id"]) if album is None else Subject("album", album["album_id"])


def _comparable(name: str | None) -> str:
    # PostgreSQL refuses to compare with a text that holds a NUL.
    return (name or "").replace("\0", "")


def _request(draft: Draft) -> Chat:
    values = {name: _value(name, draft.asked) for name in draft.prompt.inputs}
    context = draft.context.text if draft.context else ""
    rendered = draft.prompt.render(values, draft.own, context=context)
    return Chat(
        messages=(Message("user", rendered.request),),
        instructions=rendered.instructions,
        context=context,
        context_lifetime="1h" if context else None,
        max_tokens=draft.prompt.max_tokens,
        seed=draft.seed,
        schema=SCHEMA,
        facts=tuple(_given(draft)),
        template=template_of(draft.asked.kind, draft.told),
    )


def _given(draft: Draft) -> Iterator[Fact]:
    """All facts, so that the ledger can look up what a sentence cites; patterns are filled with those that are told."""
    told = {one.id for one in draft.told}
    for one in draft.facts:
        yield Fact(one.id, one.name if one.id in told else f"beside_{one.name}", one.value)


def _value(name: str, asked: CopyAsked) -> str:
    """The words for a place of a prompt. Raises ValueError for a place nobody has words for."""
    if name == "lyrics":
        return asked.lyrics or ""
    raise ValueError(f"nobody knows what to put in the place of {name}")


def _whose(draft: Draft) -> Whose:
    asked = draft.asked
    return Whose(
        feature=asked.feature,
        subject=asked.billed_to,
        prompt=draft.prompt.id,
        job_id=draft.begun.job_id,
        attempt=draft.begun.attempt,
        priority=asked.priority,
        purpose=asked.purpose,
    )


def _read(
    draft: Draft, answered: Answered[ChatResult]
) -> tuple[Sequence[Sentence], tuple[DroppedSentence, ...], str | None]:
    """The sentences that stand, those that do not, and why a model's answer is of no use."""
    if answered.provider == LocalProvider.name:
        # The embedded writer has filled our own patterns, and checked them; it may have had nothing to say.
        return answered.result.sentences, (), None
    try:
        said = sentences_of(answered.result.text)
    except Nonsense as nonsense:
        return (), (), str(nonsense)
    kept, dropped = check_copy(said, draft.facts, material=draft.material)
    return kept, dropped, None if kept else f"no sentence stands: {dropped[0].because}"


async def _embedded(draft: Draft, request: Chat, floor: Floor) -> Answered[ChatResult]:
    """The embedded writer, asked directly: the routing table would send the same request to the same model."""
    job_id = JobId(derived("job", draft.begun.job_id, "embedded"))
    target = next(one for one in LocalProvider.targets() if one.task == "chat")
    async with floor.ai.step(
        type="chat",
        feature=draft.asked.feature,
        subject=draft.asked.billed_to,
        model=target.model,
        input_hash=hash_of_facts(draft.told),
        job_id=job_id,
        attempt=draft.begun.attempt,
    ):
        reply = await LocalProvider().call(target, msgspec.structs.replace(request, schema=None))
    assert isinstance(reply.result, ChatResult), "a chat is answered by a chat"
    return Answered(result=reply.result, job_id=job_id, provider="local", model=target.model, cache="miss")


def _written(
    draft: Draft, answered: Answered[ChatResult], kept: Sequence[Sentence], dropped: tuple[DroppedSentence, ...]
) -> CopyWritten:
    asked = draft.asked
    cited = {number for sentence in kept for number in sentence.fact_ids}
    return CopyWritten(
        copy_id=asked.copy_id,
        ask_id=asked.ask_id,
        kind=asked.kind,
        subject=asked.subject,
        job_id=asked.job_id,
        attempt=draft.begun.attempt,
        written_by=answered.job_id,
        prompt=draft.prompt.id,
        provider=answered.provider,
        model=answered.model,
        context_sha256=draft.context.sha256 if draft.context else None,
        facts_sha256=hash_of_facts(draft.facts),
        text=" ".join(sentence.text for sentence in kept),
        sentences=tuple(CopySentence(text=sentence.text, facts=sentence.fact_ids) for sentence in kept),
        facts=tuple(one for one in draft.facts if one.id in cited),
        dropped=dropped,
        checker=CHECKER,
    )


def _skipped(draft: Draft) -> CopySkipped:
    asked = draft.asked
    return CopySkipped(
        copy_id=asked.copy_id,
        ask_id=asked.ask_id,
        kind=asked.kind,
        subject=asked.subject,
        job_id=asked.job_id,
        attempt=draft.begun.attempt,
        reason="too little is known to write of",
    )
