"""There is always an answer: also to what is too large, what cannot be read, and what comes while a service stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.runtime.installation import provision
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import ShowTrack, TrackView
from tonetouch_runtime import App, Bus, Floor, Refused, Router, Settings, running
from tonetouch_runtime._bus import CORRELATION, Reply
from tonetouch_runtime._telemetry import Cause, caused_by, current_cause

router = Router()


@router.answers(ShowTrack)
async def show(command: ShowTrack, floor: Floor) -> TrackView:
    if command.track_id == "large":
        return TrackView(id=command.track_id, status="uploaded", file_name="x" * floor.bus.largest_message)
    if command.track_id == "unsayable":
        return object()  # type: ignore[return-value]
    if command.track_id == "slow":
        floor.get(Gate).began.set()
        await floor.get(Gate).open.wait()
    return TrackView(id=command.track_id, status="uploaded", file_name=current_cause().correlation or "")


class Gate:
    def __init__(self) -> None:
        self.began, self.open = asyncio.Event(), asyncio.Event()


@pytest.fixture(name="floor")
async def _floor(settings: Settings) -> AsyncIterator[Floor]:
    await provision(settings)
    async with running(App(name="catalog", routers=(router,)), settings) as floor:
        yield floor


def ask_for(track: str) -> ShowTrack:
    return ShowTrack(track_id=TrackId(track))


async def test_an_answer_that_is_too_large_becomes_a_problem(floor: Floor) -> None:
    """The bus would not carry it, and who asked would wait in vain."""
    with pytest.raises(Refused, match=r"The answer has [\d,]+ bytes") as refused:
        await floor.ask(ask_for("large"))
    assert refused.value.problem.code == "too_large"
    assert (await floor.ask(ask_for("a"))).value.id == "a"


async def test_a_request_that_is_too_large_is_refused_before_it_is_sent(floor: Floor) -> None:
    """The server would hang up on the one who sends it."""
    with pytest.raises(Refused, match=r"at most [\d,]+ can be sent") as refused:
        await floor.ask(ask_for("x" * floor.bus.largest_message))
    assert refused.value.problem.code == "too_large"
    assert floor.bus.reconnects == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{not json", "invalid"), (b"\xff", "invalid"), (b"[" * 100_000, "invalid"), (b"{}", "invalid")],
)
async def test_what_cannot_be_read_is_answered(floor: Floor, body: bytes, code: str) -> None:
    """As the mistake of the one who asked, not as a bug of ours."""
    answer = await floor.bus.nats.request("cmd.catalog.show-track", body, 10.0)
    problem = msgspec.json.decode(answer.data, type=Reply).problem
    assert problem is not None
    assert problem.code == code


async def test_an_answer_that_cannot_be_said_is_our_bug(floor: Floor) -> None:
    """A handler that returns what is no message is answered for all the same."""
    with pytest.raises(Refused) as refused:
        await floor.ask(ask_for("unsayable"))
    assert refused.value.problem.code == "internal"


async def test_the_story_survives_whatever_it_is_called(floor: Floor) -> None:
    """Newlines and emoji in a correlation arrive as they were, and put no header in."""
    story = "one\r\nTonetouch-After: {}\r\n🎵"
    with caused_by(Cause(correlation=story)):
        assert (await floor.ask(ask_for("a"))).value.file_name == story


async def test_a_header_that_is_not_ours_is_left_out(floor: Floor) -> None:
    """A broken escape is nobody's story; the request is answered."""
    body = msgspec.json.encode(ask_for("a"))
    answer = await floor.bus.nats.request("cmd.catalog.show-track", body, 10.0, headers={CORRELATION: "%zz"})
    assert msgspec.json.decode(answer.data, type=Reply).problem is None


async def test_a_service_that_stops_gives_the_answers_it_has_begun(settings: Settings) -> None:
    """The one who asked gets the answer, not a timeout."""
    gate = Gate()

    def open_gate(_: Floor) -> contextlib.nullcontext[Gate]:
        return contextlib.nullcontext(gate)

    await provision(settings)
    asker = await Bus.connect(settings.nats_url, "asker")
    async with running(App(name="catalog", routers=(router,), resources=(open_gate,)), settings):
        asking = asyncio.create_task(asker.ask(ask_for("slow")))
        await asyncio.wait_for(gate.began.wait(), 20)
        asyncio.get_running_loop().call_later(0.05, gate.open.set)
    assert (await asyncio.wait_for(asking, 5)).value.id == "slow"
    await asker.close()
