"""How a story looks on a terminal."""

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from tonetouch_contracts.story import Flow, Hop
from tonetouch_deploy.ledger_showing import milliseconds, say
from tonetouch_deploy.showing import printable

_SLOW_MS = 1000.0


def flow_tree(flow: Flow) -> Tree:
    """Each event below its cause, with the service that said it and the time since its cause."""
    took, began = milliseconds(flow.took_ms), flow.began[:19].replace("T", " ")
    tree = Tree(Text(printable(f"{flow.correlation}  {len(flow.hops):,} events in {took}, from {began}")))
    branches = [tree]
    for hop in flow.hops:
        branches[hop.depth + 1 :] = [branches[hop.depth].add(_line(hop))]
    return tree


def say_notes(console: Console, flow: Flow) -> None:
    """What was not read."""
    for note in flow.notes:
        say(console, note)


def _line(hop: Hop) -> Text:
    line = Text(printable(f"{hop.type}  "), style="bold")
    line.append(printable(f"{hop.service}  {hop.stream}@{hop.sequence}  {hop.entity}  "), style="not bold dim")
    line.append(f"+{milliseconds(hop.after_ms)}", style="not bold yellow" if hop.after_ms >= _SLOW_MS else "not bold")
    return line
