"""Files that are wrong in a known way."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.sounds import Samples

FORMATS = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav", ".aiff")


def cut(path: Path, share: float) -> Path:
    """The first part of a file."""
    whole = path.read_bytes()
    target = path.with_name(f"cut{path.suffix}")
    target.write_bytes(whole[: int(len(whole) * share)])
    return target


def flip(path: Path, share: float, *, seed: int) -> Path:
    """The file with one bit flipped in this share of its bytes, at least one."""
    generator = np.random.default_rng(seed)
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
    places = generator.integers(0, len(content), max(1, int(len(content) * share)))
    content[places] ^= (1 << generator.integers(0, 8, len(places))).astype(np.uint8)
    target = path.with_name(f"flipped{path.suffix}")
    target.write_bytes(content.tobytes())
    return target


def without_header(path: Path) -> Path:
    """The same MP3 frames without the Xing header that states their number."""
    target = path.with_name(f"plain-{path.name}")
    with av.open(str(path)) as source, av.open(str(target), "w", options={"write_xing": "0"}) as copy:
        stream = copy.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    return target


def film(path: Path, sound: Samples | None, *, seconds: float = 2.0) -> Path:
    """A moving picture, with this sound of shape (frames, 2) if there is one."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=44100, layout="stereo") if sound is not None else None
        for count in range(int(seconds * 25)):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), count * 5 % 255, np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        if sound is not None and audio is not None:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 44100, 0, Fraction(1, 44100)
            container.mux([*audio.encode(frame), *audio.encode(None)])
        container.mux(video.encode(None))
    return path
