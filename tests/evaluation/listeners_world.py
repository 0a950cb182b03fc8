"""A world of listeners whose interests are known, because they were made up: tracks, artists, plays, other interests.

Tracks lie in clusters (kinds of music); an artist belongs to one. A listener has two to five kinds they like, comes
back every day or two for a sitting that mostly stays with one of them, now and then hears something else and mostly
leaves it. Half of them have other interests from the middle of their history on. The same seed makes the same world.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonetouch_recommend.taste.running import Play, Signal, Word
from tonetouch_recommend.vectors.collection import Vector
from tonetouch_runtime import stamp

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DAYS: Final = 120
SPLIT: Final = 100
"""The day of the one cut in time: what is before it is known, what comes after it is to be foretold."""
CHANGE: Final = 50
"""The day from which on half the listeners like something else."""

KINDS: Final = 40
ARTISTS: Final = 800
SPREAD: Final = 0.75
"""How far a track lies from the middle of its kind, which has length 1: a cosine of 0.64 between two tracks of a kind,
near 0 between two of different ones."""
BETWEEN_DAYS: Final = 1.5
PLAYS: Final = 8
STRAYS: Final = 0.1
"""Of the plays of a sitting, those of any kind of music."""


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Tracks by number: their unit vectors, shape (tracks, dimension), kinds, artists and shares of all plays."""

    vectors: Vector
    kinds: NDArray[np.intp]
    artists: NDArray[np.intp]
    shares: NDArray[np.float64]

    @property
    def size(self) -> int:
        """How many tracks there are."""
        return len(self.kinds)


@dataclass(frozen=True, kw_only=True)
class Listener:
    """What somebody likes at the cut, what they did before it (oldest first), and which tracks they went on to play."""

    name: str
    interests: frozenset[int]
    changed: bool
    signals: Sequence[Signal]
    later: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything a method may be asked about. Track ids are the numbers of the catalogue's rows as text."""

    catalogue: Catalogue
    listeners: Sequence[Listener]
    now: datetime


def world(*, listeners: int, tracks: int, dimension: int, seed: int) -> World:
    """A world of this size."""
    random = np.random.default_rng(seed)
    catalogue = _catalogue(tracks, dimension, random)
    by_kind = {kind: np.flatnonzero(catalogue.kinds == kind) for kind in range(KINDS)}
    people = [_listener(number, catalogue, by_kind, random) for number in range(listeners)]
    return World(catalogue=catalogue, listeners=people, now=START + timedelta(days=SPLIT))


def _catalogue(tracks: int, dimension: int, random: np.random.Generator) -> Catalogue:
    middles = _units(random.standard_normal((KINDS, dimension)))
    of_artist = random.integers(0, KINDS, ARTISTS)
    artists = random.integers(0, ARTISTS, tracks)
    kinds = of_artist[artists]
    noise = random.standard_normal((tracks, dimension)) / dimension**0.5
    vectors = _units(middles[kinds] + SPREAD * noise)
    ranks = random.permutation(tracks) + 1
    shares = 1.0 / ranks**0.8
    return Catalogue(vectors=vectors.astype(np.float32), kinds=kinds, artists=artists, shares=shares / shares.sum())


def _listener(
    number: int, catalogue: Catalogue, by_kind: Mapping[int, NDArray[np.intp]], random: np.random.Generator
) -> Listener:
    changed = number % 2 == 1
    first, second = _interests(random), _interests(random)
    periods = [(0, CHANGE, first), (CHANGE, DAYS, second)] if changed else [(0, DAYS, first)]
    signals = list[Signal]()
    day = float(random.uniform(0, BETWEEN_DAYS))
    while day < DAYS:
        likes = next(likes for begins, ends, likes in periods if begins <= day < ends)
        signals.extend(_sitting(f"u{number}", day, likes, catalogue, by_kind, random))
        day += float(random.exponential(BETWEEN_DAYS))
    cut = stamp(START + timedelta(days=SPLIT))
    liked = {
        int(one.track_id) for one in signals if one.at >= cut and isinstance(one, Play) and (one.share or 0) >= 0.5
    }
    return Listener(
        name=f"u{number}",
        interests=frozenset(periods[-1][2]),
        changed=changed,
        signals=[one for one in signals if one.at < cut],
        later=frozenset(liked),
    )


def _interests(random: np.random.Generator) -> dict[int, float]:
    """Two to five kinds of music and how much each is liked, none of them hardly at all."""
    number = int(random.integers(2, 6))
    shares = 0.5 / number + 0.5 * random.dirichlet(np.ones(number))
    return dict(zip(random.choice(KINDS, number, replace=False).tolist(), shares.tolist(), strict=True))


def _sitting(
    name: str,
    day: float,
    likes: Mapping[int, float],
    catalogue: Catalogue,
    by_kind: Mapping[int, NDArray[np.intp]],
    random: np.random.Generator,
) -> list[Signal]:
    kinds, shares = list(likes), list(likes.values())
    theme = int(random.choice(kinds, p=shares))
    said, at = list[Signal](), START + timedelta(days=day)
    for _ in range(1 + int(random.poisson(PLAYS - 1))):
        at += timedelta(minutes=4)
        strays = random.random() < STRAYS
        kind = theme if random.random() < 0.8 else int(random.choice(kinds, p=shares))
        tracks = np.arange(catalogue.size) if strays else by_kind[kind]
        among = catalogue.shares[tracks]
        track = int(tracks[np.searchsorted(np.cumsum(among), random.random() * among.sum())])
        said.extend(_heard(name, track, at, int(catalogue.kinds[track]) in likes, random))
    return said


def _heard(name: str, track: int, at: datetime, is_liked: bool, random: np.random.Generator) -> list[Signal]:
    """A play, and perhaps a word about it."""
    left = random.random() < (0.1 if is_liked else 0.7)
    share = float(random.uniform(0.01, 0.12)) if left else float(random.choice([0.6, 1.0], p=[0.2, 0.8]))
    moment = stamp(at)
    play = Play(play_id=f"{name}@{moment}", track_id=f"{track}", heard_seconds=200 * share, share=share, at=moment)
    if random.random() < (0.06 if not left else 0.05):
        return [play, Word(track_id=f"{track}", said="dislike" if left else "like", at=moment)]
    return [play]


def _units(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
