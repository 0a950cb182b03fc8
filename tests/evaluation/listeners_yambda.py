"""Real listeners: Yambda (Yandex 2025, arXiv 2505.22238, Apache-2.0), the cut of 50 million events.

Of the folder are read `listens.parquet`, `likes.parquet` and `dislikes.parquet` (in it or in `flat/50m`),
`embeddings.parquet` and `artist_item_mapping.parquet`. Times there are seconds from an unknown beginning. Nobody knows
what its listeners like, so the tracks are put into kinds by k-means, and what somebody plays a tenth of the time after
the cut is an interest of theirs; none of them is taken to have changed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tests.evaluation.listeners_world import KINDS, START, Catalogue, Listener, World
from tonetouch_recommend.taste.running import HALF, Play, Said, Signal, Word
from tonetouch_recommend.vectors.collection import Vector
from tonetouch_runtime import stamp

LATER_SECONDS: Final = 20 * 86_400
"""What is to be foretold: the last twenty days."""
FEWEST: Final = 50
"""Listens of a listener who is looked at."""
AN_INTEREST: Final = 0.1
_ROUNDS: Final = 10
_URL: Final = "https://huggingface.co/datasets/yandex/yambda"

Rows = Mapping[str, NDArray[Any]]


class NotThereError(Exception):
    """A file of the data set is missing."""


def load(folder: Path, *, listeners: int, seed: int) -> World:
    """So many of its listeners, drawn by the seed. Raises NotThereError, which says what to get and where from."""
    listens = _rows(folder, "listens", ["uid", "timestamp", "item_id", "played_ratio_pct", "track_length_seconds"])
    cut = int(listens["timestamp"].max()) - LATER_SECONDS
    counted = Counter(listens["uid"].tolist())
    chosen = sorted(uid for uid, number in counted.items() if number >= FEWEST)
    random = np.random.default_rng(seed)
    drawn = random.permutation(np.array(chosen))[:listeners]
    catalogue, numbers = _catalogue(folder, np.unique(listens["item_id"][np.isin(listens["uid"], drawn)]), random)
    signals = _signals(folder, listens, drawn, numbers)
    people = [_listener(int(uid), signals[int(uid)], cut, catalogue) for uid in drawn]
    return World(catalogue=catalogue, listeners=[one for one in people if one.later], now=_at(cut))


def _rows(folder: Path, name: str, columns: Sequence[str], **isin: NDArray[Any]) -> Rows:
    places = [folder / f"{name}.parquet", folder / "flat" / "50m" / f"{name}.parquet"]
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        raise NotThereError(f"There is no {places[0]}. The files of the 50m cut and the embeddings are at {_URL}.")
    filters = [(column, "in", values.tolist()) for column, values in isin.items()] or None
    table = pq.read_table(path, columns=list(columns), filters=filters)
    return {column: pc.fill_null(table[column], 0).to_numpy() for column in columns if column != "normalized_embed"} | (
        {"normalized_embed": np.stack(table["normalized_embed"].to_numpy())} if "normalized_embed" in columns else {}
    )


def _catalogue(folder: Path, items: NDArray[Any], random: np.random.Generator) -> tuple[Catalogue, dict[int, int]]:
    """The tracks that have a vector, and their numbers by their ids in the data set."""
    found = _rows(folder, "embeddings", ["item_id", "normalized_embed"], item_id=items)
    vectors = np.asarray(found["normalized_embed"], dtype=np.float32)
    numbers = {int(item): number for number, item in enumerate(found["item_id"].tolist())}
    mapping = _rows(folder, "artist_item_mapping", ["artist_id", "item_id"], item_id=items)
    artists = dict(zip(mapping["item_id"].tolist(), mapping["artist_id"].tolist(), strict=True))
    catalogue = Catalogue(
        vectors=vectors,
        kinds=_kinds(vectors, random),
        artists=np.array([artists.get(item, -1) for item in numbers], dtype=np.intp),
        shares=np.full(len(numbers), 1 / len(numbers)),
    )
    return catalogue, numbers


def _kinds(vectors: Vector, random: np.random.Generator) -> NDArray[np.intp]:
    middles = vectors[random.choice(len(vectors), min(KINDS, len(vectors)), replace=False)]
    nearest = np.argmax(vectors @ middles.T, axis=1)
    for _ in range(_ROUNDS):
        sums = np.array([vectors[nearest == kind].sum(axis=0) for kind in range(len(middles))])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        middles = np.where(lengths > 0, sums / np.maximum(lengths, 1e-9), middles)
        nearest = np.argmax(vectors @ middles.T, axis=1)
    return np.asarray(nearest, dtype=np.intp)


def _signals(
    folder: Path, listens: Rows, drawn: NDArray[Any], numbers: Mapping[int, int]
) -> defaultdict[int, list[tuple[int, Signal]]]:
    """What each of them did, with its time in seconds, oldest first."""
    found = defaultdict[int, list[tuple[int, Signal]]](list)
    mine = np.flatnonzero(np.isin(listens["uid"], drawn))
    for row in mine[np.argsort(listens["timestamp"][mine], kind="stable")].tolist():
        track = numbers.get(int(listens["item_id"][row]))
        if track is not None:
            at, share = int(listens["timestamp"][row]), float(listens["played_ratio_pct"][row]) / 100
            heard = share * float(listens["track_length_seconds"][row])
            play = Play(play_id=f"{row}", track_id=f"{track}", heard_seconds=heard, share=share, at=stamp(_at(at)))
            found[int(listens["uid"][row])].append((at, play))
    said: Sequence[tuple[str, Said]] = (("likes", "like"), ("dislikes", "dislike"))
    for file, word in said:
        words = _rows(folder, file, ["uid", "timestamp", "item_id"], uid=drawn)
        for uid, at, item in zip(*(words[name].tolist() for name in ("uid", "timestamp", "item_id")), strict=True):
            if item in numbers:
                found[uid].append((at, Word(track_id=f"{numbers[item]}", said=word, at=stamp(_at(at)))))
    for each in found.values():
        each.sort(key=lambda one: one[0])
    return found


def _listener(uid: int, signals: Sequence[tuple[int, Signal]], cut: int, catalogue: Catalogue) -> Listener:
    after = [one for at, one in signals if at >= cut and isinstance(one, Play) and (one.share or 0) >= HALF]
    kinds = Counter(int(catalogue.kinds[int(play.track_id)]) for play in after)
    return Listener(
        name=f"{uid}",
        interests=frozenset(kind for kind, number in kinds.items() if number >= AN_INTEREST * len(after)),
        changed=False,
        signals=[one for at, one in signals if at < cut],
        later=frozenset(int(play.track_id) for play in after),
    )


def _at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)
