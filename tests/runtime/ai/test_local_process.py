"""What may die, dies alone: a program in a process of its own answers, refuses, fails or is stopped."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tonetouch_runtime.ai.local import EngineFailed, TextRefused
from tonetouch_runtime.ai.local import process as processes

ECHO = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read() + sys.argv[1].encode())"


@pytest.fixture(name="programs")
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs of our own."""
    monkeypatch.setattr(processes, "PROGRAMS", tmp_path)
    return tmp_path


def run(given: bytes = b"", argument: str = "", *, timeout_seconds: float = 60.0) -> bytes:
    return processes.run("one", argument, given=given, timeout_seconds=timeout_seconds, refused=TextRefused)


def test_bytes_go_in_and_bytes_come_out(programs: Path) -> None:
    """A megabyte too, and from several threads at once."""
    (programs / "one.py").write_text(ECHO)
    given = [bytes([number]) * 1_000_000 for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda one: run(one, "!"), given)) == [one + b"!" for one in given]


def test_a_refusal_has_the_programs_own_reason(programs: Path) -> None:
    """Its last line, cut to a length."""
    (programs / "one.py").write_text(
        f"import sys; print('warning\\n' + 'no ' * 500, file=sys.stderr); sys.exit({processes.REFUSED})"
    )
    with pytest.raises(TextRefused, match=r"^no no no ") as refused:
        run()
    assert len(str(refused.value)) <= processes.MAX_REASON


@pytest.mark.parametrize("program", ["import os; os.abort()", "import missing_altogether", "import sys; sys.exit(9)"])
def test_a_death_is_a_failure(programs: Path, program: str) -> None:
    """Not an answer, and not ours."""
    (programs / "one.py").write_text(program)
    with pytest.raises(EngineFailed) as failed:
        run(b"x" * 1_000_000)
    assert not failed.value.timed_out


def test_what_takes_too_long_is_stopped(programs: Path) -> None:
    """The process is gone, not only given up."""
    mark = programs / "started"
    (programs / "one.py").write_text(
        f"import os, pathlib\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\nwhile True: pass"
    )
    with pytest.raises(EngineFailed) as failed:
        run(timeout_seconds=3.0)
    assert failed.value.timed_out
    if mark.exists() and sys.platform == "linux":
        assert not Path(f"/proc/{mark.read_text()}").exists()


def test_the_callers_folder_decides_nothing(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that lies about is not imported in the place of a real one."""
    (programs / "json.py").write_text("raise SystemExit(9)")
    (programs / "one.py").write_text("import json, sys; sys.stdout.write(json.dumps(1))")
    monkeypatch.chdir(programs)
    monkeypatch.setenv("PYTHONPATH", str(programs))
    assert run() == b"1"
