"""How well a listener is served: methods held against each other on listeners whose interests are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.evaluation.listeners_measures import MEASURES, means, measured
from tests.evaluation.listeners_methods import METHODS, Asked, Crowd
from tests.evaluation.listeners_world import Listener, World, world
from tests.evaluation.listeners_yambda import NotThereError, load

LISTENERS: Final = 250
TRACKS: Final = 8_000
DIMENSION: Final = 256
SEED: Final = 7
BEGINNINGS: Final = (0, 1, 3, 10)
"""After how many signals a new listener is looked at."""

COVERS: Final = 1.8
"""How many times the running mean's taste coverage ours has to be."""
LOSES: Final = 0.005
"""The share of a list that may be lost to exploring, and is no loss of taste."""
RECOVERS: Final = 0.97

Means = Mapping[str, Mapping[str, tuple[float, float, float]]]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The measures of every method: of listeners who stayed with what they like, of those who changed, of new ones."""

    stayed: Means
    changed: Means
    beginning: Mapping[int, Means]

    @property
    def failures(self) -> list[str]:
        """What is not as good as it has to be."""
        ours, mean = self.stayed["ours"], self.stayed["running mean"]
        recovered = self.changed["ours"]["on taste"][0] if self.changed else 1.0
        checks = {
            f"taste coverage is {ours['coverage'][0]:.2f}, less than {COVERS} times the running mean's "
            f"{mean['coverage'][0]:.2f}": ours["coverage"][0] < COVERS * mean["coverage"][0],
            f"on taste is {ours['on taste'][0]:.3f}, below the running mean's {mean['on taste'][0]:.3f}": (
                ours["on taste"][0] < mean["on taste"][0] - LOSES
            ),
            f"after a change of taste {recovered:.3f} is on taste, not {RECOVERS}": recovered < RECOVERS,
        }
        return [said for said, is_so in checks.items() if is_so]


def evaluated(made: World, *, is_shown: bool = False) -> Evaluation:
    """Every method on every listener of a world."""
    crowd = Crowd(made)
    people = list(track(made.listeners, description="listeners", transient=True, disable=not is_shown))
    stayed = [one for one in people if not one.changed]
    changed = [one for one in people if one.changed]
    return Evaluation(
        stayed=_of_all(stayed, crowd),
        changed=_of_all(changed, crowd),
        beginning={plays: _of_all(stayed, crowd, plays) for plays in BEGINNINGS},
    )


def run(*, listeners: int = LISTENERS, seed: int = SEED, yambda: Path | None = None) -> bool:
    """Print the tables. True where ours is as good as it has to be; real listeners, if any, are only told of."""
    console = Console(width=170)
    console.print(f"{listeners} listeners, {TRACKS} tracks, {DIMENSION} numbers a vector, seed {seed}", style="bold")
    found = evaluated(world(listeners=listeners, tracks=TRACKS, dimension=DIMENSION, seed=seed), is_shown=True)
    console.print(shown("Listeners who stayed with what they like", found.stayed))
    console.print(shown("Listeners who like something else from the middle of their history on", found.changed))
    console.print(beginnings(found))
    if yambda is not None:
        _tell_of_real_ones(yambda, listeners, seed, console)
    for failure in found.failures:
        console.print(f"Not good enough: {failure}.", style="bold red")
    if not found.failures:
        console.print("Ours is as good as it has to be.", style="bold green")
    return not found.failures


def _tell_of_real_ones(folder: Path, listeners: int, seed: int, console: Console) -> None:
    try:
        found = evaluated(load(folder, listeners=listeners, seed=seed), is_shown=True)
    except NotThereError as error:
        console.print(f"No real listeners: {error}", style="yellow")
    else:
        console.print(shown("Listeners of Yambda; kinds of music by k-means", found.stayed))


def shown(title: str, of: Means) -> Table:
    """A row for each method; beneath each mean the interval of 95 % (bootstrap over listeners)."""
    table = Table(title=title)
    table.add_column("method")
    for name in MEASURES:
        table.add_column(name, justify="right")
    for method, measures in of.items():
        cells = (measures[name] for name in MEASURES)
        table.add_row(method, *(f"{mean:.3f}\n[dim]{low:.3f}-{high:.3f}[/dim]" for mean, low, high in cells))
    return table


def beginnings(found: Evaluation) -> Table:
    """On taste and coverage after the first signals."""
    table = Table(title="New listeners, after so many plays: on taste / taste coverage")
    table.add_column("method")
    for plays in found.beginning:
        table.add_column(f"{plays}", justify="right")
    for method in METHODS:
        measures = [means[method] for means in found.beginning.values()]
        table.add_row(method, *(f"{one['on taste'][0]:.2f} / {one['coverage'][0]:.2f}" for one in measures))
    return table


def _of_all(people: Sequence[Listener], crowd: Crowd, plays: int | None = None) -> Means:
    results = {name: list[dict[str, float]]() for name in METHODS}
    for person in people:
        asked = Asked(person.name, person.signals[:plays], crowd)
        for name, method in METHODS.items():
            results[name].append(measured(method(asked), person, crowd))
    return {name: means(of) for name, of in results.items()} if people else {}
