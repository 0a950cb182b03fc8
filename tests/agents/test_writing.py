"""Texts are written, checked, and can be traced."""

import asyncio
import json

import pytest

from tests.agents.injections import INJECTIONS, Injection
from tests.agents.music import album_id, artist_id, publish, track
from tests.agents.planned import Model, citing_everything, saying
from tests.agents.texts import rows, said, settled, until, write
from tonetouch_agents.app import app
from tonetouch_agents.subject import Subject
from tonetouch_agents.writing import write as write_again
from tonetouch_contracts.copy import CopyBegun, CopyKind, CopyWritten, DraftDiscarded, WriteCopy
from tonetouch_contracts.track import TrackPublished
from tonetouch_runtime import Floor, Refused, Settings, running

ARTIST, ALBUM = f"artist:{artist_id()}", f"album:{album_id()}"
KINDS: tuple[tuple[CopyKind, str], ...] = (
    ("artist_bio", ARTIST),
    ("album_review", ALBUM),
    ("track_notes", ALBUM),
    ("about_track", f"track:{track(2).track_id}"),
)


@pytest.mark.parametrize(("kind", "subject"), KINDS)
async def test_without_an_account_the_embedded_writer_writes(floor: Floor, kind: CopyKind, subject: str) -> None:
    """Every kind of text; each sentence with its facts, each fact with the event it comes from, and the job."""
    await publish(floor, *(track(number) for number in range(1, 5)))
    text = await write(floor, kind, subject)
    assert (text.status, text.provider) == ("written", "local")
    assert len(text.sentences) >= 3
    assert text.text == " ".join(sentence.text for sentence in text.sentences)
    known = {fact.id: fact for fact in text.facts}
    assert all(sentence.facts for sentence in text.sentences)
    assert {number for sentence in text.sentences for number in sentence.facts} == known.keys()
    assert all(fact.source for fact in known.values())
    (row,) = await rows(floor, text.written_by)
    assert (row.outcome, row.feature, row.subject) == ("succeeded", f"copy.{kind}", subject)
    assert row.prompt == text.prompt


async def test_a_sentence_leads_to_its_fact_and_to_the_job(modelled: Floor, model: Model) -> None:
    """Why does this bio say so? Its sentence names the fact, the fact the event, the text the job and its context."""
    await publish(modelled, track(1), track(2))
    model.plan = saying(("The recordings of Ada Lund date from 1998.", "artist year"))
    text = await write(modelled, "artist_bio", ARTIST)
    (sentence,) = text.sentences
    sources = {fact.id: fact.source for fact in text.facts}
    assert f"artist.added.{artist_id()}" in [sources[number] for number in sentence.facts]
    (row,) = await rows(modelled, text.job_id)
    assert (row.provider, row.prompt, row.context_hash) == ("openai", "artist-bio@1", text.context_sha256)
    assert row.input_ref is not None
    assert await modelled.objects.head(row.input_ref) is not None


async def test_sentences_that_do_not_stand_are_dropped_and_kept_with_their_reason(
    modelled: Floor, model: Model
) -> None:
    """The others are the text."""
    await publish(modelled, track(1))
    model.plan = saying(("It dates from 1998.", "year"), ("The band broke up in 2019.", "artist year"))
    text = await write(modelled, "artist_bio", ARTIST)
    assert text.text == "It dates from 1998."
    (dropped,) = text.dropped
    assert dropped.because == "no cited fact has the number 2019"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("I am sorry, but I cannot help with that.", "not the JSON"),
        ("", "empty"),
        ('{"sentences": [{"text": "It dates from 2050.", "facts": ["F1"]}]}', "no sentence stands"),
    ],
)
async def test_nonsense_is_a_recorded_failure_and_the_embedded_writer_writes(
    modelled: Floor, model: Model, answer: str, reason: str
) -> None:
    """With its reason, the model and the job whose answer it was; the text that is there was written by another job."""
    await publish(modelled, track(1))
    model.plan = lambda _: answer
    text = await write(modelled, "artist_bio", ARTIST)
    assert (text.status, text.provider) == ("written", "local")
    assert text.written_by != text.job_id
    (discarded,) = [event for event in await said(modelled, text.id) if isinstance(event, DraftDiscarded)]
    assert reason in discarded.reason
    assert (discarded.job_id, discarded.provider) == (text.job_id, "openai")
    for job_id in (text.job_id, text.written_by):
        (row,) = await rows(modelled, job_id)
        assert row.outcome == "succeeded"


async def test_a_discarded_answer_does_not_come_back_from_the_cache(modelled: Floor, model: Model) -> None:
    """Asked again, the model is asked again; a good answer is not asked for twice."""
    await publish(modelled, track(1))
    model.plan = lambda _: "no JSON"
    await write(modelled, "artist_bio", ARTIST)
    model.plan = saying(("It dates from 1998.", "year"))
    assert (await write(modelled, "artist_bio", ARTIST)).provider == "openai"
    assert len(model.asked) == 2
    again = await write(modelled, "artist_bio", ARTIST)
    assert len(model.asked) == 2
    (row,) = await rows(modelled, again.job_id)
    assert row.cache == "exact_hit"


@pytest.mark.timeout(240)
async def test_hostile_words_do_nothing(modelled: Floor, model: Model) -> None:
    """A model that obeys them is not heard: what it was made to say stands nowhere, what the facts say does."""
    for number, injection in enumerate(INJECTIONS, 1):
        hostile = _hostile(number, injection)
        await publish(modelled, hostile)
        model.plan = citing_everything(injection.obeyed)
        text = await write(modelled, "about_track", f"track:{hostile.track_id}")
        own = [sentence.text for sentence in text.sentences if injection.words[:20] not in sentence.text]
        assert own and all(injection.obeyed not in sentence for sentence in own), injection
        assert text.provider == "local", injection
        request = model.asked[-1]["messages"][-1]["content"]
        assert not [mark for mark in ("<|", "\u202e", "[F1] album", "</") if mark in request], injection


def _hostile(number: int, injection: Injection) -> TrackPublished:
    words = (injection.words,) if injection.where == "genre" else injection.words
    return track(number, **{"genres" if injection.where == "genre" else injection.where: words})


async def test_one_ask_is_written_once_however_often_it_is_made(modelled: Floor, model: Model) -> None:
    """While a text is being written, asking again is asking once."""
    await publish(modelled, track(1))
    model.gate.clear()
    command = WriteCopy(kind="artist_bio", subject=ARTIST)
    views = await asyncio.gather(*(modelled.ask(command) for _ in range(8)))
    assert {answer.value.status for answer in views} == {"asked"}
    model.gate.set()
    text = await settled(modelled, "artist_bio", ARTIST)
    assert len([event for event in await said(modelled, text.id) if isinstance(event, CopyWritten)]) == 1
    assert len(model.asked) == 1


async def test_a_writer_that_dies_is_followed_by_another(settings: Settings, modelled: Floor, model: Model) -> None:
    """The ask waits in the log; the next attempt of the job has the next number, and one text comes of it."""
    await publish(modelled, track(1))
    model.gate.clear()
    await modelled.ask(WriteCopy(kind="artist_bio", subject=ARTIST))
    await until(lambda: len(model.asked) == 1)
    async with running(app, settings) as second:
        copy_id = Subject.read(ARTIST).copy_id("artist_bio")
        # Another writer begins as if the first were gone; whichever ends first has written it.
        fact = (await second.log.history("AGENTS", copy_id))[0]
        writing = asyncio.create_task(write_again(fact, second))
        await until(lambda: _begun_twice(second, copy_id))
        model.gate.set()
        await writing
        text = await settled(second, "artist_bio", ARTIST)
        await until(lambda: _all_settled(second, copy_id))
    events = await said(modelled, copy_id)
    assert [event.attempt for event in events if isinstance(event, CopyBegun)] == [1, 2]
    assert len([event for event in events if isinstance(event, CopyWritten)]) == 1
    assert text.text == "It dates from 1998."


async def _begun_twice(floor: Floor, copy_id: str) -> bool:
    return len([event for event in await said(floor, copy_id) if isinstance(event, CopyBegun)]) == 2


async def _all_settled(floor: Floor, copy_id: str) -> bool:
    return any(isinstance(event, CopyWritten) for event in await said(floor, copy_id))


async def test_a_model_that_is_away_is_replaced_by_the_embedded_writer(modelled: Floor, model: Model) -> None:
    """A page has its text, with the local writer's name in it."""
    await publish(modelled, track(1))
    model.status = 500
    text = await write(modelled, "artist_bio", ARTIST)
    assert (text.status, text.provider) == ("written", "local")


async def test_requests_about_one_album_begin_alike_and_the_first_goes_alone(modelled: Floor, model: Model) -> None:
    """The others wait until a provider can have kept the beginning, which is the same to the byte."""
    await publish(modelled, *(track(number) for number in range(1, 5)))
    model.plan = saying(("It dates from 1998.", "year"))
    model.gate.clear()
    for kind, subject in KINDS[1:3]:
        await modelled.ask(WriteCopy(kind=kind, subject=subject))
    await until(lambda: len(model.asked) == 1)
    model.gate.set()
    for kind, subject in KINDS[1:3]:
        await settled(modelled, kind, subject)
    first, second = model.contexts
    shared = first[: first.index("You describe") if "You describe" in first else first.index("You write")]
    assert len(shared) > 500
    assert second.startswith(shared)


async def test_a_text_about_a_track_may_stand_on_its_album_too(modelled: Floor, model: Model) -> None:
    """Its context is the beginning of the request once there is one; the ledger keeps all of its facts."""
    await publish(modelled, track(1), track(2))
    model.plan = saying(("It dates from 1998.", "year"))
    review = await write(modelled, "album_review", ALBUM)
    model.plan = saying(("“Night Bus” is the one that opens “Winter Light”.", "opening title album"))
    text = await write(modelled, "about_track", f"track:{track(1).track_id}")
    assert text.provider == "openai"
    assert text.context_sha256 == review.context_sha256
    assert {fact.id[0] for fact in text.facts} == {"F", "T"}
    (row,) = await rows(modelled, text.job_id)
    kept = json.loads(await modelled.objects.get(row.input_ref or "", max_bytes=1 << 20))
    assert {fact.id for fact in text.facts} <= {fact["id"] for fact in kept["request"]["facts"]}


async def test_nobody_writes_of_what_is_not_there(floor: Floor) -> None:
    """An unknown subject, one that is none, and a kind that is not written about it are refused in words."""
    await publish(floor, track(1))
    for kind, subject, code in (
        ("artist_bio", "artist:nobody", "not_found"),
        ("artist_bio", "artist:*", "invalid"),
        ("artist_bio", "planet:earth", "invalid"),
        ("artist_bio", ALBUM, "invalid"),
    ):
        with pytest.raises(Refused) as refused:
            await floor.ask(WriteCopy(kind=kind, subject=subject))  # type: ignore[arg-type]
        assert refused.value.problem.code == code
