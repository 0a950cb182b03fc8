"""Is the same recording found in every file it comes in, and nothing else? ``python -m tests.evaluation.sounds``.

Each form of each song arrives after all originals, and goes down the ladder of ingest: the neighbours that recommend's
indexes would give (here by exact search, with the limits of the services), alignment, bit errors, durations. Every form
is also held against every stranger directly, which no neighbourhood protects.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tests.evaluation.sounds_forms import INSTRUMENTAL, ORIGINAL, SAME, Heard, heard, names
from tonetouch_ingest.deduping import MOST_NEIGHBOURS
from tonetouch_ingest.listening.fingerprint import align
from tonetouch_ingest.listening.matching import New, Same, Sound, decide
from tonetouch_recommend.recognising import LEAST_COSINE, LEAST_PROGRESSION

SONGS: Final = 24
PROCESSES: Final = 2
LIBRARY: Final = 100_000

Outcome = Literal["duplicate", "version", "new", "wrong"]
Listened = Sequence[Heard]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What became of one form of one song; `wrong` is a link to another song than its own."""

    song: str
    form: str
    outcome: Outcome
    bit_error_rate: float
    cosine: float
    progression: float


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Everything that was found, and the strangers that were called the same, or versions, when held directly."""

    found: Sequence[Found]
    pairs_of_strangers: int
    merged: Sequence[str]
    linked: Sequence[str]


def run(*, songs: int = SONGS) -> bool:
    """Make the music, listen, and print what was found. True where it is as good as it has to be."""
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        library = list(chain.from_iterable(pool.map(heard, names(songs))))
    result = evaluated(library)
    console = Console(width=120)
    console.print(table(result, songs))
    console.print(f"strangers held against each other: {result.pairs_of_strangers}; linked: {len(result.linked)}")
    console.print(_neighbourhood(library))
    wrong = failures(result)
    for sentence in wrong:
        console.print(f"[red]{sentence}[/red]")
    return not wrong


def evaluated(library: Listened) -> Evaluated:
    """Every form of every song, as it would end."""
    originals = [one for one in library if one.form == ORIGINAL]
    forms = [one for one in library if one.form != ORIGINAL]
    merged, linked, pairs = list[str](), list[str](), 0
    for one in library:
        for other in originals:
            if other.song != one.song:
                pairs += 1
                decided = decide(_sound(one), [_sound(other)])
                words = f"{one.song} ({one.form}) and {other.song}"
                if not isinstance(decided, New):
                    (merged if isinstance(decided, Same) else linked).append(words)
    return Evaluated(
        found=[_found(one, originals) for one in forms], pairs_of_strangers=pairs, merged=merged, linked=linked
    )


def failures(result: Evaluated) -> list[str]:
    """What is not as it has to be, in sentences."""
    found = result.found
    missed = [one for one in found if one.form in SAME and one.outcome != "duplicate"]
    unlinked = [one for one in found if one.form == INSTRUMENTAL and one.outcome != "version"]
    wrong = [one for one in found if one.outcome == "wrong"]
    return [
        *(f"{one.song}, {one.form}: {one.outcome} instead of a duplicate." for one in missed),
        *(f"{one.song}, {one.form}: {one.outcome} instead of a version." for one in unlinked),
        *(f"{one.song}, {one.form}: taken for another song." for one in wrong if one not in missed),
        *(f"Two strangers were merged: {words}." for words in result.merged),
    ]


def table(result: Evaluated, songs: int) -> Table:
    """How each form ended, and how far it lies from its original."""
    shown = Table(title=f"{songs} songs, each held against all")
    for heading in ("form", "duplicate", "version", "new", "wrong", "bit error rate", "cosine", "of progressions"):
        shown.add_column(heading, justify="left" if heading == "form" else "right")
    for form in dict.fromkeys(one.form for one in result.found):
        own = [one for one in result.found if one.form == form]
        counts = [str(sum(one.outcome == name for one in own)) for name in ("duplicate", "version", "new", "wrong")]
        rates = [one.bit_error_rate for one in own]
        cosines, progressions = [one.cosine for one in own], [one.progression for one in own]
        shown.add_row(form, *counts, _spread(rates, max), _spread(cosines, min), _spread(progressions, min))
    shown.caption = "median, and the worst of them"
    return shown


def _found(one: Heard, originals: Listened) -> Found:
    own = next(original for original in originals if original.song == one.song)
    decided = decide(_sound(one), _neighbours(one, originals))
    outcome: Outcome = "new"
    if not isinstance(decided, New):
        outcome = "duplicate" if isinstance(decided, Same) else "version"
        outcome = outcome if decided.of == own.song else "wrong"
    return Found(
        song=one.song,
        form=one.form,
        outcome=outcome,
        bit_error_rate=align(one.items, own.items).unshifted_error_rate,
        cosine=_cosine(one.vector, own.vector),
        progression=_cosine(one.progression, own.progression),
    )


def _neighbours(one: Heard, originals: Listened) -> list[Sound]:
    """As recommend answers: the nearest by sound with their cosines, then those that go on alike."""
    near = {other.song: _cosine(one.vector, other.vector) for other in originals}
    alike = {other.song: _cosine(one.progression, other.progression) for other in originals}
    by_sound, going_on = _best(near, LEAST_COSINE), _best(alike, LEAST_PROGRESSION)
    cosines: dict[str, float | None] = {**dict.fromkeys(going_on), **{song: near[song] for song in by_sound}}
    return [_sound(other, cosines[other.song]) for other in originals if other.song in cosines]


def _best(scores: Mapping[str, float], least: float) -> list[str]:
    return [song for song in sorted(scores, key=lambda song: -scores[song]) if scores[song] >= least][:MOST_NEIGHBOURS]


def _sound(one: Heard, cosine: float | None = None) -> Sound:
    track_id = one.song if one.form == ORIGINAL else f"{one.song} ({one.form})"
    return Sound(track_id=track_id, items=one.items, duration_seconds=one.seconds, cosine=cosine)


def _cosine(one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> float:
    return 0.0 if one is None or other is None else float(one @ other)


def _neighbourhood(library: Listened) -> str:
    """How near strangers lie to each other in the two spaces that are searched."""
    originals = [one for one in library if one.form == ORIGINAL]
    near = np.array(list(_between(one.vector for one in originals)))
    alike = np.array(list(_between(one.progression for one in originals)))
    words = [f"{cosines.mean():.2f} +- {cosines.std():.3f}, at most {cosines.max():.2f}" for cosines in (near, alike)]
    deviations = NormalDist().inv_cdf(1 - MOST_NEIGHBOURS / LIBRARY)
    last = alike.mean() + deviations * alike.std()
    return (
        f"cosines of strangers: {words[0]}; of their progressions: {words[1]}.\n"
        f"Were they normal, the {MOST_NEIGHBOURS}th of {LIBRARY:,} would be at {last:.2f}: what is nearer is found."
    )


def _between(vectors: Iterable[NDArray[np.float32] | None]) -> Iterable[float]:
    known = list(vectors)
    return (_cosine(one, other) for at, one in enumerate(known) for other in known[:at])


def _spread(values: Sequence[float], worst: Callable[[Sequence[float]], float]) -> str:
    return f"{np.median(values):.3f}  {worst(values):.3f}"


if __name__ == "__main__":
    raise SystemExit(0 if run() else 1)
