"""How a story looks on a terminal."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from tonetouch_deploy.ledger_showing import milliseconds, say
from tonetouch_deploy.showing import printable

if TYPE_CHECKING:
    from tonetouch_deploy.events.flow import Flow, Hop

_SLOW_MS = 1000.0


def flow_tree(flow: "Flow") -> Tree:
    """Each event below its cause, with the service that said it and the time since its cause."""
    title = f"{flow.correlation}  {flow.events:,} events in {milliseconds(flow.took_ms)}, from {flow.began[:19]}"
    tree = Tree(Text(title.replace("T", " ")))
    for root in flow.roots:
        _grow(tree, root)
    return tree


def say_notes(console: Console, flow: "Flow") -> None:
    """What was not read."""
    for note in flow.notes:
        say(console, note)


def _grow(tree: Tree, hop: "Hop") -> None:
    line = Text(printable(f"{hop.type}  "), style="bold")
    line.append(printable(f"{hop.service}  {hop.stream}@{hop.sequence}  {hop.entity}  "), style="not bold dim")
    line.append(f"+{milliseconds(hop.after_ms)}", style="not bold yellow" if hop.after_ms >= _SLOW_MS else "not bold")
    branch = tree.add(line)
    for child in hop.led_to:
        _grow(branch, child)
