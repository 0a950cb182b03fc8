"""The supervisor, with real child processes."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.deploy.waiting import is_gone, until
from tonetouch_deploy.probing import Probe
from tonetouch_deploy.settings import CannotStartError
from tonetouch_deploy.supervising import Pace, Process, Supervisor

QUICK = Pace(first_delay=0.05, longest_delay=0.2, probe_every=0.02, probe_every_until_ready=0.02)
SLEEPER = "import time, pathlib, sys; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"


def appears(path: Path) -> Probe:
    """Ready when a file exists."""

    exists = path.exists

    async def probe() -> str | None:
        return None if exists() else f"no {path.name}"

    return probe


def python(
    name: str, code: str, folder: Path, *, depends_on: tuple[str, ...] = (), bound: float = 10.0, stage: int = 0
) -> Process:
    """A child that runs `code` and is ready when it has made the file it gets as its argument."""
    flag = folder / f"{name}.ready"
    return Process(
        name=name,
        command=(sys.executable, "-S", "-c", textwrap.dedent(code), str(flag)),
        env=dict(os.environ),
        ready=appears(flag),
        depends_on=depends_on,
        stop_within_seconds=bound,
        stop_stage=stage,
    )


async def test_starts_in_order_and_waits_until_all_are_ready(tmp_path: Path) -> None:
    """A process starts only when what it depends on is ready, and `start` returns when everything is."""
    second = "import pathlib, sys, time; assert pathlib.Path(sys.argv[1]).with_name('one.ready').exists();" + SLEEPER
    supervisor = Supervisor(logs=tmp_path / "logs", pace=QUICK)
    try:
        await supervisor.start([python("one", SLEEPER, tmp_path), python("two", second, tmp_path, depends_on=("one",))])
        rows = supervisor.status()
        assert [(row.name, row.state, row.restarts) for row in rows] == [("one", "ready", 0), ("two", "ready", 0)]
        assert all(row.pid is not None and not is_gone(row.pid) for row in rows)
    finally:
        await supervisor.stop()


async def test_who_has_the_time_waits_for_a_slow_start(tmp_path: Path) -> None:
    """`start` gives up and leaves the rest starting; `settled` returns when it is ready, or its own time is up."""
    slow = """
        import pathlib, sys, time
        while not pathlib.Path(sys.argv[1]).with_name("go").exists():
            time.sleep(0.01)
    """
    supervisor = Supervisor(logs=tmp_path / "logs", pace=QUICK)
    try:
        await supervisor.start([python("slow", textwrap.dedent(slow) + SLEEPER, tmp_path)], within_seconds=0.1)
        await supervisor.settled(within_seconds=0.1)
        assert [row.state for row in supervisor.status()] == ["starting"]
        (tmp_path / "go").touch()
        await supervisor.settled(within_seconds=30.0)
        assert [row.state for row in supervisor.status()] == ["ready"]
    finally:
        await supervisor.stop()


async def test_restarts_what_dies_with_growing_delay(tmp_path: Path) -> None:
    """A process that keeps dying is started again after a delay that doubles up to a limit, and each death is said."""
    said: list[str] = []
    dies = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); sys.exit(3)"
    (tmp_path / "frail.ready").touch()
    supervisor = Supervisor(logs=tmp_path / "logs", pace=QUICK, say=said.append)
    try:
        await supervisor.start([python("frail", dies, tmp_path)])
        await until(lambda: len(said) >= 4)
    finally:
        await supervisor.stop()
    delays = [line.rsplit("in ", 1)[1] for line in said[:4]]
    assert delays == ["0.1 s", "0.1 s", "0.2 s", "0.2 s"]
    assert "exit code 3" in said[0]


async def test_delay_starts_over_after_a_healthy_while(tmp_path: Path) -> None:
    """After being ready for long enough, a process that dies is restarted after the first delay again."""
    said: list[str] = []
    pace = Pace(first_delay=0.05, longest_delay=30.0, healthy_after=0.0, probe_every=0.02, probe_every_until_ready=0.02)
    supervisor = Supervisor(logs=tmp_path / "logs", pace=pace, say=said.append)
    try:
        await supervisor.start([python("one", SLEEPER, tmp_path)])
        for deaths in (1, 2, 3):
            await until(lambda: supervisor.status()[0].state == "ready")
            pid = supervisor.status()[0].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda deaths=deaths: len(said) == deaths)  # type: ignore[misc]
    finally:
        await supervisor.stop()
    assert all("SIGKILL" in line and line.endswith("in 0.1 s") for line in said)


async def test_says_why_a_process_cannot_start(tmp_path: Path) -> None:
    """A process that ends again and again before it was ever ready fails the start with the last line it printed."""
    supervisor = Supervisor(logs=tmp_path / "logs", pace=QUICK)
    try:
        with pytest.raises(CannotStartError, match=r"broken cannot start \(exit code 1\): the disk is missing"):
            await supervisor.start([python("broken", "import sys; sys.exit('the disk is missing')", tmp_path)])
    finally:
        await supervisor.stop()


async def test_says_when_a_program_does_not_exist(tmp_path: Path) -> None:
    """A missing program ends the start with a sentence and no traceback."""
    missing = Process(name="ghost", command=(str(tmp_path / "ghost"),), env={}, ready=appears(tmp_path / "never"))
    supervisor = Supervisor(logs=tmp_path / "logs", pace=QUICK)
    try:
        with pytest.raises(CannotStartError, match="ghost cannot start"):
            await supervisor.start([missing])
    finally:
        await supervisor.stop()


async def test_stops_stage_by_stage(tmp_path: Path) -> None:
    """The door is stopped first, and what stands under it only when it is gone."""
    order = tmp_path / "order"
    polite = f"""
        import pathlib, signal, sys, time
        flag = pathlib.Path(sys.argv[1])
        def leave(*_):
            with open({str(order)!r}, "a") as file:
                file.write(flag.stem + "\\n")
            sys.exit(0)
        signal.signal(signal.SIGTERM, leave)
        flag.touch()
        time.sleep(600)
    """
    supervisor = Supervisor(logs=tmp_path / "logs", pace=QUICK)
    stages = {"bus": 2, "store": 1, "door": 0}
    await supervisor.start([python(name, polite, tmp_path, stage=stage) for name, stage in stages.items()])
    await supervisor.stop()
    assert order.read_text().split() == ["door", "store", "bus"]
    assert [row.state for row in supervisor.status()] == ["stopped"] * 3


async def test_kills_what_does_not_stop(tmp_path: Path) -> None:
    """A process that ignores SIGTERM is killed after its bound, with the children it has."""
    stubborn = """
        import pathlib, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        flag = pathlib.Path(sys.argv[1])
        flag.with_name("grandchild").write_text(str(child.pid))
        flag.touch()
        time.sleep(600)
    """
    said: list[str] = []
    supervisor = Supervisor(logs=tmp_path / "logs", pace=QUICK, say=said.append)
    await supervisor.start([python("stubborn", stubborn, tmp_path, bound=0.2)])
    pid = supervisor.status()[0].pid
    assert pid is not None
    await supervisor.stop()
    grandchild = int((tmp_path / "grandchild").read_text())
    await until(lambda: is_gone(pid) and is_gone(grandchild))
    assert "did not stop" in said[0]


async def test_nothing_survives_a_killed_supervisor(tmp_path: Path) -> None:
    """When the supervisor itself is killed with SIGKILL, its children and their children end too."""
    script = tmp_path / "supervisor.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, os, pathlib, sys
            from tonetouch_deploy.supervising import Process, Supervisor

            CHILD = '''
            import os, pathlib, subprocess, sys, time
            child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
            draft = pathlib.Path(sys.argv[1] + ".draft")
            draft.write_text(f"{os.getpid()} {child.pid}")
            draft.rename(sys.argv[1])
            time.sleep(600)
            '''.replace("\\n            ", "\\n")

            async def main(folder: pathlib.Path) -> None:
                flag = folder / "pids"
                async def ready():
                    return None if flag.exists() else "no flag"
                command = (sys.executable, "-S", "-c", CHILD, str(flag))
                supervisor = Supervisor(logs=folder / "logs")
                await supervisor.start([Process(name="a", command=command, env=dict(os.environ), ready=ready)])
                (folder / "started").touch()
                await asyncio.Event().wait()

            asyncio.run(main(pathlib.Path(sys.argv[1])))
            """
        )
    )
    supervisor = await asyncio.to_thread(subprocess.Popen, [sys.executable, str(script), str(tmp_path)])
    try:
        await until((tmp_path / "started").exists, within_seconds=60)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert not any(is_gone(pid) for pid in pids)
    finally:
        supervisor.kill()
        supervisor.wait()
    await until(lambda: all(is_gone(pid) for pid in pids))


async def test_keeps_what_children_print(tmp_path: Path) -> None:
    """Both outputs of a process go to its log file, the last words before its death included."""
    talks = "import sys; print('to stdout', flush=True); print('to stderr', file=sys.stderr); sys.exit(1)"
    supervisor = Supervisor(logs=tmp_path / "logs", pace=QUICK)
    try:
        with pytest.raises(CannotStartError):
            await supervisor.start([python("talker", talks, tmp_path)])
    finally:
        await supervisor.stop()
    lines = (tmp_path / "logs" / "talker.log").read_text().splitlines()
    assert lines[:2] == ["to stdout", "to stderr"]
