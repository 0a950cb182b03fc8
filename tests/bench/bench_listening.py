"""What listening to a track costs in a worker process, against the same decoding and the same Essentia calls alone.

Both sides are warm: interpreter, imports and one track lie behind them before anything is counted. The floor is a plain
process that runs this file.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sounds import encode, song
from tonetouch_ingest.listening.workers import Workers

SECONDS = 240.0
ROUNDS = 5
TRACKS = 6
MOST_SHARE = 1.25
EVEN_SHARE = 0.6
_TICKS = os.sysconf("SC_CLK_TCK")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@pytest.fixture(scope="module", name="track")
def _track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP3 of 240 s."""
    return encode(song(7, seconds=SECONDS, bpm=118.0, key="A", mode="minor"), tmp_path_factory.mktemp("long") / "a.mp3")


@pytest.mark.bench
async def test_listening_in_a_worker_costs_hardly_more_than_the_calls_alone(track: Path) -> None:
    """CPU seconds of the worker for one track are at most 1.25 of those of the bare loop."""
    rounds = []
    async with Workers(size=1) as workers:
        with _bare_loop(track) as floor:
            await workers.run("listen", track)
            for _ in range(ROUNDS):  # in turns, so that a machine that gets slower slows both
                before = sum(_cpu_of_workers())
                await workers.run("listen", track)
                rounds.append((_round(floor), sum(_cpu_of_workers()) - before))
    plain, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(mine / bare for bare, mine in rounds)
    print(f"\nlisten, {SECONDS:.0f} s of MP3: floor {plain:.2f} CPU s, worker {ours:.2f} CPU s, ratio {ratio:.2f}")
    assert ratio <= MOST_SHARE


@pytest.mark.bench
async def test_two_workers_share_the_work(track: Path) -> None:
    """Of six tracks each of two processes does its part; how much sooner they are done depends on the machine."""
    one, _ = await _wall_seconds(track, size=1)
    two, shares = await _wall_seconds(track, size=2)
    print(f"\n{TRACKS} tracks: one worker {one:.1f} s, two {two:.1f} s, speed-up {one / two:.2f}")
    assert min(shares) >= EVEN_SHARE * max(shares)


async def _wall_seconds(track: Path, *, size: int) -> tuple[float, list[float]]:
    """Wall time for all tracks with warm workers, and the CPU seconds of each."""
    async with Workers(size=size) as workers:
        await asyncio.gather(*(workers.run("listen", track) for _ in range(size)))
        before = _cpu_of_workers()
        started = time.perf_counter()
        await asyncio.gather(*(workers.run("listen", track) for _ in range(TRACKS)))
        wall = time.perf_counter() - started
        return wall, [after - earlier for earlier, after in zip(before, _cpu_of_workers(), strict=True)]


def _cpu_of_workers() -> list[float]:
    """User and system CPU seconds so far of each worker process of ours and of its ended children (proc(5))."""
    seconds = []
    for task in sorted(Path("/proc/self/task").iterdir()):
        for child in (task / "children").read_text().split():
            if b"tonetouch_ingest.listening.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
                seconds.append(sum(int(ticks) for ticks in fields[11:15]) / _TICKS)
    return seconds


@contextmanager
def _bare_loop(track: Path) -> Iterator["subprocess.Popen[str]"]:
    """The floor's process, with one track behind it."""
    command = [sys.executable, "-m", "tests.bench.bench_listening", str(track)]
    with subprocess.Popen(
        command,
        env=os.environ | _ONE_THREAD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # Essentia greets everybody
        text=True,
    ) as process:
        try:
            _round(process)
            yield process
        finally:
            process.kill()


def _round(process: "subprocess.Popen[str]") -> float:
    """CPU seconds of the floor for one track."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def _serve_floor(track: Path) -> None:
    """Decode, and call what Essentia and the loudness filter are for: nothing is judged, bounded or sent anywhere."""
    import av
    import numpy as np

    from tonetouch_ingest.listening.loudness import LoudnessMeter
    from tonetouch_ingest.listening.measuring import fingerprint_of, key_of, liveliness_of, tempo_of

    rate = 44100

    def listen() -> None:
        meter, pieces = LoudnessMeter(), []
        mixer = av.AudioResampler(format="flt", layout="mono", rate=rate, frame_size=rate)
        with av.open(str(track)) as container:
            stream = container.streams.audio[0]
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                meter.add(frame)
                pieces += [mixed.to_ndarray()[0] for mixed in mixer.resample(frame)]
            pieces += [mixed.to_ndarray()[0] for mixed in mixer.resample(None)]
        samples = np.concatenate(pieces)
        middle = len(samples) // 2
        fingerprint_of(samples[: 120 * rate])
        liveliness_of(samples[middle - 60 * rate : middle + 60 * rate], loudness_lufs=meter.read().lufs or -70.0)
        tempo_of(samples[middle - 30 * rate : middle + 30 * rate])
        key_of(samples[middle - 60 * rate : middle + 60 * rate])

    for _ in sys.stdin:
        before = time.process_time()
        listen()
        print(time.process_time() - before, flush=True)


if __name__ == "__main__":
    _serve_floor(Path(sys.argv[1]))
