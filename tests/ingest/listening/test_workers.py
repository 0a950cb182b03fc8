"""A pool of processes in which what dies, dies alone."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.ingest.listening.files import without_header
from tests.sounds import encode, song
from tonetouch_ingest.listening.refusals import BrokenAudio, OutOfMemory, TaskFailed, TookTooLong, WorkerDied
from tonetouch_ingest.listening.workers import Workers

ROOT = Path(__file__).parents[3]
ODD = "tests.ingest.listening.odd_tasks"


@pytest.fixture(name="workers")
async def _workers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    async with Workers(size=2, tasks=ODD, tasks_per_process=5) as workers:
        yield workers


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        # A process that ended and was not waited for is a zombie, and no longer alive.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_file_is_heard_in_another_process(tmp_path: Path) -> None:
    """Fingerprint and measurement come back as values; asking for one of them gives the same one."""
    path = encode(song(1, seconds=12.0), tmp_path / "a.mp3")
    async with Workers(size=1) as workers:
        heard = await workers.run("listen", path)
        assert heard.measurement.bpm == pytest.approx(120.0, rel=0.01)
        assert heard.fingerprint.decoded_seconds == heard.fingerprint.facts.decoded_seconds == 12.0
        assert await workers.run("take_fingerprint", path) == heard.fingerprint
        assert await workers.run("analyse", path) == heard.measurement
        with pytest.raises(BrokenAudio, match="of 12"):
            path.write_bytes(path.read_bytes()[:50_000])
            await workers.run("listen", path)


async def test_answers_belong_to_their_questions(workers: Workers) -> None:
    """Twenty at once on two processes come back in the order they were asked, from fresh processes every five."""
    told = await asyncio.gather(*(workers.run("echo", Path(str(n))) for n in range(20)))
    assert [answer["text"] for answer in told] == [str(n) for n in range(20)]
    assert len({answer["pid"] for answer in told}) >= 4


async def test_a_process_does_several_files(workers: Workers) -> None:
    """It is kept until its share of files is done."""
    pids = [(await workers.run("echo", Path("a")))["pid"] for _ in range(6)]
    assert len(set(pids[:5])) == 1
    assert pids[5] != pids[0]
    assert not is_alive(pids[0])


async def test_a_crash_fails_one_task(workers: Workers) -> None:
    """The neighbour goes on, the next task gets a new process, and the reason names the signal."""
    crashing = asyncio.create_task(workers.run("crash", Path("a")))
    assert (await workers.run("echo", Path("b")))["text"] == "b"
    with pytest.raises(WorkerDied, match="SIGSEGV"):
        await crashing
    assert (await workers.run("echo", Path("c")))["text"] == "c"


async def test_a_killed_process_fails_its_task_alone(workers: Workers, tmp_path: Path) -> None:
    """SIGKILL in the middle of a task, as the kernel's memory killer would."""
    marker = tmp_path / "pid"
    hanging = asyncio.create_task(workers.run("hang", marker))
    await until(marker.exists)
    before = await workers.run("echo", Path("before"))
    os.kill(int(marker.read_text()), signal.SIGKILL)
    with pytest.raises(WorkerDied, match="SIGKILL"):
        await hanging
    after = await workers.run("echo", Path("after"))
    assert (before["text"], after["text"]) == ("before", "after")


async def test_a_process_that_died_idle_is_replaced(workers: Workers) -> None:
    """Nobody's task fails for it."""
    pid = (await workers.run("echo", Path("a")))["pid"]
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{pid}").exists())
    assert (await workers.run("echo", Path("b")))["pid"] != pid


async def test_the_time_limit_kills(workers: Workers, tmp_path: Path) -> None:
    """A task that does not end is ended, with its process."""
    marker = tmp_path / "pid"
    await workers.run("echo", Path("a"))
    with pytest.raises(TookTooLong, match="1 seconds"):
        await workers.run("hang", marker, timeout_seconds=1)
    assert not is_alive(int(marker.read_text()))


async def test_the_memory_limit_holds(workers: Workers) -> None:
    """Two gigabytes are not to be had where one is allowed; the process is replaced."""
    with pytest.raises(OutOfMemory):
        await workers.run("swallow", Path("a"))
    assert (await workers.run("echo", Path("b")))["text"] == "b"


async def test_a_refusal_keeps_its_class_and_words(workers: Workers) -> None:
    """The file is at fault, so the process stays."""
    pid = (await workers.run("echo", Path("a")))["pid"]
    with pytest.raises(BrokenAudio) as refused:
        await workers.run("refuse", Path("x.mp3"))
    assert refused.value.reason == "x.mp3 is broken."
    assert (await workers.run("echo", Path("a")))["pid"] == pid


async def test_a_bug_names_itself(workers: Workers) -> None:
    """An unexpected error comes with its trace, and is no refusal of the file."""
    with pytest.raises(TaskFailed, match="LookupError: a bug") as failed:
        await workers.run("stumble", Path("a"))
    assert "odd_tasks.py" in "".join(failed.value.__notes__)


async def test_a_process_that_cannot_start_says_why() -> None:
    """A library that is missing is named, not hidden behind an exit code."""
    async with Workers(size=1, tasks="tonetouch_ingest.listening.nowhere") as workers:
        with pytest.raises(TaskFailed, match=r"ModuleNotFoundError: .*nowhere"):
            await workers.run("listen", Path("a"))


async def test_noise_on_the_output_disturbs_nothing(workers: Workers) -> None:
    """Libraries may print what they like; numeric ones are held to one thread."""
    assert (await workers.run("babble", Path("a")))["text"] == "1"


async def test_cancelling_kills_the_process(workers: Workers, tmp_path: Path) -> None:
    """Who no longer wants the answer frees the place."""
    marker = tmp_path / "pid"
    hanging = asyncio.create_task(workers.run("hang", marker))
    await until(marker.exists)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert not is_alive(int(marker.read_text()))
    assert (await workers.run("echo", Path("b")))["text"] == "b"


async def test_closing_ends_every_process(workers: Workers, tmp_path: Path) -> None:
    """Tasks under way and tasks that wait fail; no process is left."""
    markers = [tmp_path / str(n) for n in range(4)]
    running = [asyncio.create_task(workers.run("hang", marker)) for marker in markers]
    await until(lambda: sum(marker.exists() for marker in markers) == 2)
    await workers.close()
    endings = await asyncio.gather(*running, return_exceptions=True)
    assert [type(ending) for ending in endings] == [WorkerDied] * 4
    assert not any(is_alive(int(marker.read_text())) for marker in markers if marker.exists())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a busy process of its parent's death at once")
async def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    """A service that is killed leaves no process behind, not even a busy one."""
    marker = tmp_path / "pid"
    program = (
        "import asyncio, pathlib, sys; from tonetouch_ingest.listening.workers import Workers;"
        f"asyncio.run(Workers(tasks={ODD!r}).run('hang', pathlib.Path(sys.argv[1])))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(marker), env=environment)
    try:
        await until(marker.exists)
        pid = int(marker.read_text())
        assert is_alive(pid)
    finally:
        parent.kill()
        await parent.wait()
    await until(lambda: not is_alive(pid))


async def weigh(tmp_path: Path, *, minutes: int) -> tuple[int, int]:
    """Tempo and peak resident KiB of a fresh process that listens to so many minutes of MP3."""
    minute = without_header(encode(song(1, seconds=60.0), tmp_path / "minute.mp3"))
    long = tmp_path / "long.mp3"
    long.write_bytes(minute.read_bytes() * minutes)
    async with Workers(size=1, tasks=ODD) as workers:
        told = await workers.run("weigh", long)
    return int(told["text"]), told["number"]


@pytest.mark.parametrize("minutes", [10, pytest.param(120, marks=pytest.mark.soak)])
async def test_a_long_file_costs_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """Four minutes fill both excerpts; after that nothing grows. Six more minutes of samples would be 64 MB."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    _, usual = await weigh(tmp_path, minutes=4)
    tempo, long = await weigh(tmp_path, minutes=minutes)
    assert long - usual < 24 * 1024
    assert tempo == pytest.approx(120, rel=0.02)
