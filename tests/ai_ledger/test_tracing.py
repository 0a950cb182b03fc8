"""From a generated text back to its facts, its job and its exact input; and the same input asked of another model."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.ai_ledger.jobs import recorded
from tests.cloud import Account
from tests.runtime.ai.clients import in_the_cloud
from tests.runtime.installation import provision
from tonetouch_ai_ledger.app import app
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import ListJobs
from tonetouch_contracts.ledger import REPLAYING, Replay, ReplayJob, SetBudget, Trace, TracedFact, TraceText
from tonetouch_runtime import Floor, Refused, Settings, running
from tonetouch_runtime.ai.asking import Answered, Whose
from tonetouch_runtime.ai.local import Fact, Pattern
from tonetouch_runtime.ai.tasks import Chat, ChatResult, Message

FACTS = (Fact(id="F1", name="title", value="Rain"), Fact(id="F2", name="year", value="1994"))
TEMPLATE = ((Pattern("{title} is a record.", needs=("title",)),), (Pattern("It came out in {year}.", needs=("year",)),))
ABOUT = Whose(feature="about", subject="track:1", user="u1", prompt="about@1")
QUESTION = Chat(messages=(Message("user", "[F1] Rain. [F2] 1994."),), facts=FACTS, template=TEMPLATE)


@pytest.fixture(name="beside_the_cloud")
async def _beside_the_cloud(settings: Settings, cloud: Account) -> AsyncIterator[Floor]:
    """A running ledger with accounts in the simulated cloud."""
    await provision(settings)
    async with running(app, in_the_cloud(settings, cloud)) as floor:
        yield floor


async def written(floor: Floor, whose: Whose = ABOUT) -> Answered[ChatResult]:
    """A text, and its row is there."""
    answered = await floor.ai.ask(QUESTION, whose)
    await floor.ai.settled()
    history = await floor.log.history("AI", answered.job_id)
    await floor.seen({"AI": history[-1].sequence})
    return answered


async def trace(floor: Floor, job_id: str, words: str | None = None) -> Trace:
    """The answer to one question."""
    return (await floor.ask(TraceText(job_id=JobId(job_id), words=words))).value


async def test_why_a_text_says_what_it_says(floor: Floor) -> None:
    """Each sentence has the facts it stands on, the job its prompt, and the input is there to the letter."""
    answered = await written(floor)
    found = await trace(floor, answered.job_id)
    assert found.text == answered.result.text == "Rain is a record. It came out in 1994."
    assert [(one.text, [fact.id for fact in one.facts]) for one in found.sentences] == [
        ("Rain is a record.", ["F1"]),
        ("It came out in 1994.", ["F2"]),
    ]
    assert found.asked == found.made_by
    assert (found.asked.prompt, found.asked.provider) == ("about@1", "local")
    assert found.input_ref == found.asked.input_ref
    assert found.input is not None
    kept = msgspec.json.decode(found.input)
    assert kept["request"]["facts"][1] == {"id": "F2", "name": "year", "value": "1994"}
    assert not found.input_cut


async def test_a_long_input_is_cut_and_says_so(floor: Floor) -> None:
    """An answer fits into one message of the bus, whatever the input is made of; the whole lies where it says."""
    long = msgspec.structs.replace(QUESTION, context='"\\é' * 100_000)
    answered = await floor.ai.ask(long, ABOUT)
    await floor.ai.settled()
    await floor.seen({"AI": (await floor.log.history("AI", answered.job_id))[-1].sequence})
    found = await trace(floor, answered.job_id)
    assert found.input_cut
    assert found.input_ref is not None
    whole = await floor.objects.get(found.input_ref, max_bytes=1 << 22)
    assert found.input is not None
    assert whole.startswith(found.input.encode())
    assert len(found.input) > 100_000


async def test_one_sentence_is_found_by_its_words(floor: Floor) -> None:
    """Why does this text say 1994?"""
    answered = await written(floor)
    [sentence] = (await trace(floor, answered.job_id, words="came 1994")).sentences
    assert sentence.facts == (TracedFact(id="F2", name="year", value="1994"),)
    assert (await trace(floor, answered.job_id, words="2019")).sentences == ()


async def test_an_answer_that_was_there_leads_to_the_job_that_was_paid(floor: Floor) -> None:
    """The second one who asks has a job of his own, which asked no model."""
    first = await written(floor)
    second = await written(floor, msgspec.structs.replace(ABOUT, user="u2"))
    found = await trace(floor, second.job_id)
    assert (second.cache, found.asked.id, found.asked.user) == ("exact_hit", second.job_id, "u2")
    assert found.made_by is not None
    assert (found.made_by.id, found.made_by.user) == (first.job_id, "u1")


async def test_what_was_not_kept_is_not_shown(floor: Floor) -> None:
    """What a person wrote leads no further than to its row; a job nobody knows leads nowhere."""
    answered = await written(floor, msgspec.structs.replace(ABOUT, share=False))
    found = await trace(floor, answered.job_id)
    assert (found.text, found.input, found.input_ref, found.sentences, found.made_by) == (None, None, None, (), None)
    for job_id in ("nobody", "no\0body"):
        with pytest.raises(Refused) as refused:
            await trace(floor, job_id)
        assert refused.value.problem.code == "not_found"


async def replay(floor: Floor, job_id: str, target: str) -> Replay:
    """The same question to another model."""
    return (await floor.ask(ReplayJob(job_id=JobId(job_id), target=target))).value


async def test_the_exact_input_is_asked_of_another_model(beside_the_cloud: Floor, cloud: Account) -> None:
    """What both claim is compared; the replay has a feature and a purpose of its own, and is paid for."""
    floor = beside_the_cloud
    answered = await written(floor)
    calls = len(cloud.calls())
    found = await replay(floor, answered.job_id, "local-chat")
    assert (found.original.id, found.original_text) == (answered.job_id, answered.result.text)
    assert found.replayed_text == "Rain is a record. It came out in 1994."
    assert (found.replayed.feature, found.replayed.purpose, found.replayed.target) == (
        REPLAYING,
        "replay",
        "local-chat",
    )
    assert found.replayed.input_hash != found.original.input_hash
    assert found.original.provider == "cloudflare"
    assert len(cloud.calls()) == calls
    assert {claim.value for claim in (*found.kept, *found.added)} == {"Rain", "1994"}
    other = await replay(floor, answered.job_id, "claude-haiku")
    assert (other.replayed.provider, other.replayed.outcome) == ("anthropic", "succeeded")
    assert other.replayed.cost_pico_usd
    assert len(cloud.calls()) == calls + 1


async def test_replays_have_a_budget_of_their_own(beside_the_cloud: Floor, cloud: Account) -> None:
    """Where it is used up nobody is asked; the feature that was replayed spends nothing."""
    floor = beside_the_cloud
    answered = await written(floor)
    calls = len(cloud.calls())
    limited = await floor.ask(SetBudget(feature=REPLAYING, limit_pico_usd=0, when_exhausted="refuse"))
    await floor.seen(limited.positions)
    with pytest.raises(Refused):
        await replay(floor, answered.job_id, "claude-haiku")
    assert len(cloud.calls()) == calls


async def test_only_a_kept_text_is_replayed_and_only_by_who_can(floor: Floor) -> None:
    """Everything else says why not."""
    text, private = await written(floor), await written(floor, msgspec.structs.replace(ABOUT, share=False))
    await floor.seen(await floor.log.pour(recorded("vector")))
    for job_id, target, code in (
        (text.job_id, "nobody", "invalid"),
        (text.job_id, "bge-m3", "invalid"),
        (private.job_id, "local-chat", "conflict"),
        ("vector", "local-chat", "conflict"),
        ("unknown", "local-chat", "not_found"),
    ):
        with pytest.raises(Refused) as refused:
            await replay(floor, job_id, target)
        assert refused.value.problem.code == code, (job_id, target)
    assert [job for job in (await floor.ask(ListJobs())).value.items if job.purpose == "replay"] == []
