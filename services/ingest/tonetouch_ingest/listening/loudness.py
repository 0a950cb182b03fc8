"""Loudness over a whole file as EBU R128 (EBU Tech 3341/3342, ITU-R BS.1770) defines it, in bounded memory.

FFmpeg's `ebur128` filter streams: it gates with histograms, so two hours cost no more memory than two minutes. Measured
on 240 s of MP3: 0.14 CPU seconds, where Essentia's LoudnessEBUR128 takes 0.72 and wants every sample at once.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import av.error
import av.filter
import numpy as np
from numpy.typing import NDArray

# What the filter reports when every block was under its absolute gate.
_UNDER_THE_GATE: Final = -69.9


@dataclass(frozen=True)
class Loudness:
    """Integrated loudness in LUFS, loudness range in LU, highest sample in dBFS; None where nothing passed the gate."""

    lufs: float | None
    range_lu: float | None
    peak_dbfs: float | None


class LoudnessMeter:
    """Listens to the decoded frames of one file; `read` gives the loudness of all of them.

    Frames are of one rate, format and channel layout; `restart` announces others. The longest stretch then counts.
    """

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._last: dict[str, str] = {}
        self._peak = 0.0
        self._samples = 0
        self._finished: list[tuple[int, Loudness]] = []

    def add(self, frame: av.AudioFrame) -> None:
        """Takes the next frame, in the file's own rate and channels."""
        if self._graph is None:
            self._graph = _metering_graph(frame)
        self._graph.push(frame)
        self._samples += frame.samples
        self._drain(self._graph)

    def restart(self) -> None:
        """The next frame may be of another shape."""
        self._finish()

    def read(self) -> Loudness:
        """The loudness of everything added; ends the measurement."""
        self._finish()
        if not self._finished:
            return Loudness(lufs=None, range_lu=None, peak_dbfs=None)
        return max(self._finished, key=lambda reading: reading[0])[1]

    def _finish(self) -> None:
        if self._graph is not None:
            self._graph.push(None)
            self._drain(self._graph)
            self._finished.append((self._samples, _reading(self._last, self._peak)))
        self._graph, self._last, self._peak, self._samples = None, {}, 0.0, 0

    def _drain(self, graph: av.filter.Graph) -> None:
        """Takes what passed the filter: the sound in stretches of 100 ms, each with the loudness so far beside it."""
        while True:
            try:
                pulled = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(pulled, av.AudioFrame)
            samples = pulled.to_ndarray()
            # The filter's own peak has three decimals, which is none at all for a quiet sound.
            self._peak = max(self._peak, float(samples.max()), -float(samples.min()))
            self._last = pulled.metadata or self._last


def loudness_of(samples: NDArray[np.float32], *, rate: int = 44100) -> Loudness:
    """The loudness of samples of shape (frames, 2)."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="flt", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    meter = LoudnessMeter()
    meter.add(frame)
    return meter.read()


def _metering_graph(frame: av.AudioFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate,
        format=frame.format.name,
        layout=frame.layout.name,
        time_base=frame.time_base or Fraction(1, frame.sample_rate),
    )
    dual = "true" if frame.layout.nb_channels == 1 else "false"
    meter = graph.add("ebur128", f"metadata=true:framelog=quiet:dualmono={dual}")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph


def _reading(facts: dict[str, str], peak: float) -> Loudness:
    lufs = float(facts.get("lavfi.r128.I", "-inf"))
    return Loudness(
        lufs=lufs if lufs > _UNDER_THE_GATE else None,
        range_lu=float(facts.get("lavfi.r128.LRA", "0")) if lufs > _UNDER_THE_GATE else None,
        peak_dbfs=20 * math.log10(peak) if peak > 0 else None,
    )
