"""The evaluation of listeners: its measures by hand, its world by its seed, and its verdict on a small world."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.evaluation.listeners import evaluated, shown
from tests.evaluation.listeners_measures import MEASURES, interval, measured
from tests.evaluation.listeners_methods import METHODS, Asked, Crowd
from tests.evaluation.listeners_world import Catalogue, Listener, World, world
from tests.evaluation.listeners_yambda import NotThereError, load
from tonetouch_recommend.taste.running import Play, Signal

SMALL = world(listeners=16, tracks=6_000, dimension=64, seed=3)


def test_a_seed_makes_one_world() -> None:
    """The same tracks and the same plays; another seed makes others."""
    again, other = (world(listeners=2, tracks=300, dimension=16, seed=seed) for seed in (1, 2))
    first = world(listeners=2, tracks=300, dimension=16, seed=1)
    assert first.catalogue.vectors.tobytes() == again.catalogue.vectors.tobytes()
    assert first.listeners == again.listeners
    assert first.listeners != other.listeners


def test_a_listener_plays_what_they_like() -> None:
    """Nearly all they hear to its end is of the kinds they like at the time; after a change it is of others."""
    for one in SMALL.listeners:
        shares = []
        for half in (one.signals[: len(one.signals) // 3], one.signals[-len(one.signals) // 3 :]):
            heard = [int(play.track_id) for play in half if isinstance(play, Play) and (play.share or 0) > 0.5]
            shares.append(np.mean([int(SMALL.catalogue.kinds[track]) in one.interests for track in heard]))
        assert shares[1] > 0.85
        assert (shares[0] > 0.85) != one.changed


def test_ours_is_as_good_as_it_has_to_be() -> None:
    """On a small world, where a change of taste is weighed by few listeners."""
    found = evaluated(SMALL)
    assert not [failure for failure in found.failures if "change" not in failure]
    assert found.changed["ours"]["on taste"][0] > 0.9
    assert found.stayed["ours"]["heard before"][0] < 0.5
    table = shown("all", found.stayed)
    assert table.row_count == len(METHODS)
    assert len(table.columns) == len(MEASURES) + 1


def test_every_method_gives_twenty_different_tracks() -> None:
    """Also to somebody who has done nothing yet."""
    crowd, one = Crowd(SMALL), SMALL.listeners[0]
    for signals in (one.signals, one.signals[:1], []):
        for name, method in METHODS.items():
            tracks = method(Asked(one.name, signals, crowd))
            assert len(set(tracks)) == len(tracks) == 20, name


def _crowd_of_four() -> Crowd:
    """Four tracks of two kinds and three artists, one of which was played."""
    catalogue = Catalogue(
        vectors=np.eye(4, dtype=np.float32),
        kinds=np.array([0, 0, 1, 1]),
        artists=np.array([0, 0, 1, 2]),
        shares=np.full(4, 0.25),
    )
    listener = _listener([Play(play_id="p", track_id="0", heard_seconds=9, share=1.0, at="2026-01-01T00:00:00Z")])
    return Crowd(World(catalogue=catalogue, listeners=[listener], now=SMALL.now))


def _listener(signals: Sequence[Signal]) -> Listener:
    return Listener(name="a", interests=frozenset({0}), changed=False, signals=signals, later=frozenset({0, 1}))


def test_the_measures_of_a_list() -> None:
    """By hand: of three tracks the second is new and played later, the first was heard before, one is off taste."""
    crowd = _crowd_of_four()
    [listener] = [_listener(crowd_signals(crowd))]
    found = measured(["0", "1", "2"], listener, crowd)
    assert found["recall@20"] == 1.0  # track 0 was heard before: track 1 is all there is to foretell
    assert found["ndcg@20"] == pytest.approx(1 / np.log2(3))
    assert found["hit rate"] == 1.0
    assert found["on taste"] == pytest.approx(2 / 3)
    assert found["coverage"] == 1.0
    assert found["artist repeats"] == pytest.approx(1 / 3)
    assert found["heard before"] == pytest.approx(1 / 3)
    assert found["diversity"] == pytest.approx(1.0)
    assert found["novelty"] == pytest.approx((np.log2(5 / 2) + 2 * np.log2(5)) / 3)


def crowd_signals(crowd: Crowd) -> list[Signal]:
    """What was played there."""
    return [
        Play(play_id="p", track_id=track, heard_seconds=9, share=1.0, at="2026-01-01T00:00:00Z")
        for track in crowd.plays
    ]


def test_an_interval_holds_its_mean_and_leaves_out_what_is_unknown() -> None:
    """Wider with fewer listeners; nothing known is nothing."""
    few, many = interval([0.0, 1.0, np.nan] * 5), interval([0.0, 1.0] * 200)
    assert few[0] == many[0] == 0.5
    assert few[1] < many[1] < 0.5 < many[2] < few[2]
    assert all(np.isnan(interval([np.nan])))


def test_real_listeners_are_read_from_their_files(tmp_path: Path) -> None:
    """The columns of Yambda; who listened too little is left out, and what is after the cut is foretold."""
    random = np.random.default_rng(0)
    days = np.tile(np.arange(60), 2)
    listens: dict[str, Sequence[object]] = {
        "uid": [*([7] * 60), *([8] * 60), 9],
        "timestamp": [*(int(day) * 86_400 for day in days), 5],
        "item_id": [*(100 + int(day) for day in days), 100],
        "played_ratio_pct": [100 for _ in range(121)],
        "track_length_seconds": [200] * 121,
    }
    vectors = random.standard_normal((60, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words: dict[str, Sequence[object]] = {"uid": [7], "timestamp": [86_400], "item_id": [103]}
    files: dict[str, Mapping[str, Sequence[object]]] = {
        "listens": listens,
        "likes": words,
        "dislikes": {**words, "uid": [8]},
        "embeddings": {"item_id": list(range(100, 160)), "normalized_embed": vectors.tolist()},
        "artist_item_mapping": {"artist_id": [1] * 60, "item_id": list(range(100, 160))},
    }
    for name, columns in files.items():
        pq.write_table(pa.table(dict(columns)), tmp_path / f"{name}.parquet")
    made = load(tmp_path, listeners=10, seed=0)
    assert sorted(one.name for one in made.listeners) == ["7", "8"]
    assert {len(one.signals) for one in made.listeners} == {40}
    assert {len(one.later) for one in made.listeners} == {21}
    assert evaluated(made).stayed["ours"]["hit rate"][0] == 1.0  # there is nothing else that they have not heard


def test_real_listeners_that_are_not_there_are_told_of(tmp_path: Path) -> None:
    """Which file, and where it can be had."""
    with pytest.raises(NotThereError, match=r"listens\.parquet.*huggingface"):
        load(tmp_path, listeners=1, seed=0)
