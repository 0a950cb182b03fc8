"""Limits a minute, the neurons of a day, and the clock they go by."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from tests.cloud import Account
from tests.cloud.callers import CHAT, codes, run
from tests.cloud.limiting import Limit, busiest_window
from tests.cloud.models import AURA, BGE_M3, LLAMA


def test_the_minute_is_full_when_the_limit_is_reached(cloud: Account) -> None:
    """429 and how long to wait; a minute later there is room again."""
    cloud.clock.freeze()
    cloud.limit(LLAMA, 2)
    assert [run(cloud, LLAMA, CHAT).status_code for _ in range(2)] == [200, 200]
    late = run(cloud, LLAMA, CHAT)
    assert (late.status_code, late.headers["retry-after"]) == (429, "60")
    cloud.clock.advance(60)
    assert run(cloud, LLAMA, CHAT).status_code == 200


def test_a_sliding_window_makes_room_one_by_one(cloud: Account) -> None:
    """What came 60 seconds ago no longer counts; what came later does."""
    cloud.clock.freeze()
    cloud.limit(LLAMA, 2)
    statuses = []
    for seconds in (0, 30, 29.9, 0.1, 0):
        cloud.clock.advance(seconds)
        statuses.append(run(cloud, LLAMA, CHAT).status_code)
    assert statuses == [200, 200, 429, 200, 429]


def test_a_fixed_window_ends_with_the_minute_of_the_clock(cloud: Account) -> None:
    """Two full windows may stand side by side: that is why a sliding one is the default."""
    cloud.clock.freeze()
    cloud.clock.set(datetime(2026, 11, 22, 12, 0, 59, tzinfo=UTC))
    cloud.limit(LLAMA, 1, window="fixed")
    first, late = run(cloud, LLAMA, CHAT), run(cloud, LLAMA, CHAT)
    cloud.clock.advance(1)
    assert (first.status_code, late.status_code, late.headers["retry-after"]) == (200, 429, "1")
    assert run(cloud, LLAMA, CHAT).status_code == 200
    assert cloud.busiest(LLAMA) == 2


def test_a_limit_may_keep_the_time_to_itself(cloud: Account) -> None:
    """Not every provider says how long to wait."""
    cloud.limit(LLAMA, 0, says_retry_after=False)
    assert "retry-after" not in run(cloud, LLAMA, CHAT).headers


def test_a_limit_holds_for_its_model_only(cloud: Account) -> None:
    """And the star is a limit over all of them."""
    cloud.limit(LLAMA, 0)
    assert run(cloud, BGE_M3, {"text": "a"}).status_code == 200
    cloud.limit("*", 0)
    assert run(cloud, BGE_M3, {"text": "a"}).status_code == 429
    cloud.unlimit()
    assert run(cloud, LLAMA, CHAT).status_code == 200


def test_the_documented_limits_hold_from_the_start(cloud: Account) -> None:
    """300 chats a minute; the 301st is refused."""
    cloud.clock.freeze()
    for _ in range(300):
        cloud.admit(LLAMA)
    assert run(cloud, LLAMA, CHAT).status_code == 429
    assert run(cloud, AURA, {"text": "no limit is documented"}).status_code == 200


def test_requests_at_the_same_time_do_not_pass_a_limit_together(cloud: Account) -> None:
    """Exactly as many as the limit says get in."""
    cloud.limit(BGE_M3, 5)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: run(cloud, BGE_M3, {"text": f"{number}"}).status_code, range(20)))
    assert sorted(statuses) == [200] * 5 + [429] * 15
    assert cloud.busiest(BGE_M3) == 5


def test_the_busiest_window_is_half_open() -> None:
    """A request exactly one length later is in the next window."""
    assert busiest_window([0.0, 10.0, 60.0], 60.0) == 2
    assert busiest_window([0.0, 10.0, 59.9], 60.0) == 3
    assert busiest_window([], 60.0) == 0


def test_a_limit_never_lets_more_in_than_its_busiest_window_shows() -> None:
    """The two ways of counting agree."""
    limit, let_in = Limit(7), []
    for tick in range(2000):
        if not limit.admit(tick * 0.37):
            let_in.append(tick * 0.37)
    assert busiest_window(let_in, 60.0) == 7


def test_the_free_neurons_of_a_day_come_back_at_midnight_utc(cloud: Account) -> None:
    """3036 until then, which no waiting of seconds heals."""
    cloud.clock.freeze()
    cloud.clock.set(datetime(2026, 11, 22, 23, 0, tzinfo=UTC))
    cloud.free_neurons = 0.001
    assert run(cloud, LLAMA, CHAT).status_code == 200
    spent = run(cloud, LLAMA, CHAT)
    assert codes(spent) == (429, [3036])
    assert "retry-after" not in spent.headers
    cloud.clock.advance(3600)
    assert run(cloud, LLAMA, CHAT).status_code == 200


def test_the_clock_runs_on_from_where_it_was_put(cloud: Account) -> None:
    """Moved by hand, held, and let go."""
    start = cloud.clock.now()
    cloud.clock.advance(3600)
    assert 3600 <= cloud.clock.now() - start < 3660
    cloud.clock.freeze()
    held = cloud.clock.now()
    assert cloud.clock.now() == held
    cloud.clock.resume()
    assert 0 <= cloud.clock.now() - held < 60
