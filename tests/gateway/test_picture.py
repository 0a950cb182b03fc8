"""Where everything of a story's picture stands, as the page's own script says."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.javascript import node
from tonetouch_gateway import showing

LAYOUT = Path(showing.__file__).parent / "operations_page/layout.js"
SCRIPT = """
import { readFileSync } from "node:fs";
import { layout } from "./layout.mjs";
console.log(JSON.stringify(layout(JSON.parse(readFileSync(0, "utf8")))));
"""

pytestmark = pytest.mark.skipif(node() is None, reason="needs Node.js")


def laid_out(tmp_path: Path, hops: list[tuple[int, float]]) -> Any:
    """The picture of hops, each said by its depth and its milliseconds since the beginning."""
    (tmp_path / "layout.mjs").write_text(LAYOUT.read_text(encoding="utf-8"))
    (tmp_path / "run.mjs").write_text(SCRIPT)
    flow = {
        "took_ms": max(ms for _, ms in hops),
        "hops": [{"depth": depth, "since_beginning_ms": ms} for depth, ms in hops],
    }
    command = [node() or "node", "run.mjs"]
    done = subprocess.run(command, cwd=tmp_path, input=json.dumps(flow), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_event_stands_in_its_row_at_its_moment_with_a_line_from_its_cause(tmp_path: Path) -> None:
    """Rows in the order of causes; the cause is the nearest before it that is one less deep; all is in the picture."""
    picture = laid_out(tmp_path, [(0, 0), (1, 100), (2, 400), (1, 200), (2, 300), (0, 50)])
    marks = picture["marks"]
    ys = [mark["y"] for mark in marks]
    assert ys == sorted(ys)
    assert len(set(ys)) == 6
    by_time = sorted(marks, key=lambda mark: float(mark["hop"]["since_beginning_ms"]))
    assert [mark["x"] for mark in by_time] == sorted(mark["x"] for mark in marks)
    causes = [None, 0, 1, 0, 3, None]
    for mark, cause in zip(marks, causes, strict=True):
        expected = None if cause is None else {"x": marks[cause]["x"], "y": marks[cause]["y"]}
        assert mark["from"] == expected
        assert 0 <= mark["x"] < picture["width"]
        assert 0 < mark["y"] < picture["height"]


@pytest.mark.parametrize(("took", "last"), [(437.0, 400), (7.5, 6), (86_400_000.0, 80_000_000), (0.0, 0)])
def test_time_is_marked_at_round_numbers(tmp_path: Path, took: float, last: float) -> None:
    """From the beginning on, six marks at the most, none behind the end; also where everything happened at once."""
    ticks = laid_out(tmp_path, [(0, 0), (1, took)])["ticks"]
    assert ticks[0]["ms"] == 0
    assert ticks[-1]["ms"] == pytest.approx(last)
    assert 1 <= len(ticks) <= 6
