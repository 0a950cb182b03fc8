"""Samples into a file of any of the formats the demo album shows."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream

from tonetouch_deploy.demo.instruments import SAMPLE_RATE, Samples


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """Which encoder of FFmpeg writes a format, at which rates; the options choose speed where quality allows it."""

    codec: str
    bit_rate: int | None = None
    sample_rate: int = SAMPLE_RATE
    options: dict[str, object] = field(default_factory=dict)


ENCODINGS: dict[str, Encoding] = {
    "mp3": Encoding(codec="libmp3lame", bit_rate=192_000, options={"compression_level": "7"}),
    "flac": Encoding(codec="flac"),
    # The wheel of PyAV has FFmpeg's own Vorbis encoder only, which calls itself experimental.
    "ogg": Encoding(codec="vorbis", bit_rate=192_000, options={"strict": "experimental"}),
    "opus": Encoding(codec="libopus", bit_rate=128_000, sample_rate=48_000, options={"compression_level": "5"}),
    "m4a": Encoding(codec="aac", bit_rate=192_000, options={"aac_coder": "fast"}),
    "wav": Encoding(codec="pcm_s16le"),
    "aiff": Encoding(codec="pcm_s16be"),
}


def encode(stereo: Samples, path: Path) -> None:
    """Write samples of shape (2, n) at 44.1 kHz to `path`; its suffix, a key of `ENCODINGS`, decides the format.

    The same samples give the same bytes on the same machine: nothing of the moment (times, serial numbers) goes in.
    """
    encoding = ENCODINGS[path.suffix.removeprefix(".")]
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream(encoding.codec, rate=encoding.sample_rate, layout="stereo")
        assert isinstance(stream, AudioStream)
        if encoding.bit_rate:
            stream.bit_rate = encoding.bit_rate
        stream.options = encoding.options
        for start in range(0, stereo.shape[1], SAMPLE_RATE):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(stereo[:, start : start + SAMPLE_RATE]), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
