"""Bodies go some days after their last use, by class, and rows stay."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.ai_ledger.jobs import recorded
from tonetouch_ai_ledger.retaining import Retention
from tonetouch_ai_ledger.settings import RetentionSettings
from tonetouch_contracts.job import ListJobs
from tonetouch_runtime import Floor, stamp

OLD, FRESH, NEVER = "a" * 64, "b" * 64, "c" * 64


class Later:
    """A clock that is days ahead: what was kept just now is old by it."""

    def __init__(self, days: int) -> None:
        self._days = days

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self._days)

    def new_id(self) -> str:
        raise AssertionError("nothing is named here")


def ago(days: int, *, later: int = 100) -> str:
    """So many days before the later clock's now."""
    return stamp(datetime.now(UTC) + timedelta(days=later - days))


@pytest.fixture(name="bodies")
async def _bodies(floor: Floor) -> Sequence[str]:
    """Three questions with answers and contexts: used long ago, lately, and unknown to the ledger. And other things."""
    keys = [f"ai/{hash_}{kind}" for hash_ in (OLD, FRESH, NEVER) for kind in ("", ".input", ".context")]
    for key in (*keys, "ai/unknown", "image/x"):
        await floor.objects.put(key, b"{}")
    await floor.log.pour(recorded("j1", input_hash=OLD, context_hash=OLD, started_at=ago(40)))
    positions = await floor.log.pour(recorded("j2", input_hash=FRESH, context_hash=FRESH, started_at=ago(5)))
    await floor.seen(positions)
    return keys


async def there(floor: Floor) -> set[str]:
    """What is in the store."""
    return {found.key async for found in floor.objects.list()}


def later(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred days from now."""
    monkeypatch.setattr(floor, "clock", Later(100))


async def test_nothing_goes_unless_somebody_says_so(
    floor: Floor, bodies: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is installed everything is kept for ever."""
    later(floor, monkeypatch)
    assert await Retention(floor, RetentionSettings()).once() == {}
    assert set(bodies) <= await there(floor)


async def test_each_class_has_its_own_time_since_the_last_use(
    floor: Floor, bodies: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was used lately stays, and so does whatever is no body of a call."""
    later(floor, monkeypatch)
    settings = RetentionSettings(answers_days=30, inputs_days=3)
    assert await Retention(floor, settings).once() == {"answers": 2, "inputs": 3}
    gone = {f"ai/{OLD}", f"ai/{NEVER}", *(f"ai/{hash_}.input" for hash_ in (OLD, FRESH, NEVER))}
    assert await there(floor) == {*bodies, "ai/unknown", "image/x"} - gone
    assert len((await floor.ask(ListJobs())).value.items) == 2
    assert await Retention(floor, RetentionSettings(contexts_days=30)).once() == {"contexts": 2}


async def test_what_was_just_kept_stays_though_no_row_knows_it_yet(floor: Floor, bodies: Sequence[str]) -> None:
    """The object is written before the ledger is told."""
    assert await Retention(floor, RetentionSettings(answers_days=1)).once() == {"answers": 0}
    assert set(bodies) <= await there(floor)


def test_the_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are at least one."""
    monkeypatch.setenv("TONETOUCH_KEEP_ANSWERS_DAYS", "90")
    assert RetentionSettings() == RetentionSettings(answers_days=90)
    monkeypatch.setenv("TONETOUCH_KEEP_INPUTS_DAYS", "0")
    with pytest.raises(ValueError, match="inputs_days"):
        RetentionSettings()
