"""What may die, dies alone: a program in a process of its own answers, refuses, fails or is stopped."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tonetouch_runtime.ai.local import EngineFailed, TextRefused
from tonetouch_runtime.ai.local import process as processes

ECHO = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read() + sys.argv[1].encode())"


def run(programs: Path, given: bytes = b"", argument: str = "", *, timeout_seconds: float = 60.0) -> bytes:
    """The program ``one`` in a folder of our own."""
    return processes.run(
        "one", argument, given=given, timeout_seconds=timeout_seconds, refused=TextRefused, programs=programs
    )


def test_bytes_go_in_and_bytes_come_out(tmp_path: Path) -> None:
    """A megabyte too, and from several threads at once."""
    (tmp_path / "one.py").write_text(ECHO)
    given = [bytes([number]) * 1_000_000 for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda one: run(tmp_path, one, "!"), given)) == [one + b"!" for one in given]


def test_a_refusal_has_the_programs_own_reason(tmp_path: Path) -> None:
    """Its last line, cut to a length."""
    (tmp_path / "one.py").write_text(
        f"import sys; print('warning\\n' + 'no ' * 500, file=sys.stderr); sys.exit({processes.REFUSED})"
    )
    with pytest.raises(TextRefused, match=r"^no no no ") as refused:
        run(tmp_path)
    assert len(str(refused.value)) <= processes.MAX_REASON


@pytest.mark.parametrize("program", ["import os; os.abort()", "import missing_altogether", "import sys; sys.exit(9)"])
def test_a_death_is_a_failure(tmp_path: Path, program: str) -> None:
    """Not an answer, and not ours."""
    (tmp_path / "one.py").write_text(program)
    with pytest.raises(EngineFailed) as failed:
        run(tmp_path, b"x" * 1_000_000)
    assert not failed.value.timed_out


def test_what_takes_too_long_is_stopped(tmp_path: Path) -> None:
    """The process is gone, not only given up."""
    mark = tmp_path / "started"
    (tmp_path / "one.py").write_text(
        f"import os, pathlib\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\nwhile True: pass"
    )
    with pytest.raises(EngineFailed) as failed:
        run(tmp_path, timeout_seconds=3.0)
    assert failed.value.timed_out
    if mark.exists() and sys.platform == "linux":
        assert not Path(f"/proc/{mark.read_text()}").exists()


def test_the_callers_folder_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that lies about is not imported in the place of a real one."""
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    (tmp_path / "one.py").write_text("import json, sys; sys.stdout.write(json.dumps(1))")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert run(tmp_path) == b"1"
