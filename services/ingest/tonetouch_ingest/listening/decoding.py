"""Any audio file to 44.1 kHz mono, a second at a time, and the reasons why not.

FFmpeg (through PyAV) is told which containers it may open and that it may touch nothing but this one file: a playlist
named .mp3 must not make it fetch what the playlist names.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import av.error
import av.stream
import msgspec
import numpy as np
from numpy.typing import NDArray

from tonetouch_ingest.listening.declaring import declared_seconds, is_cut_off
from tonetouch_ingest.listening.findings import AudioFacts
from tonetouch_ingest.listening.loudness import LoudnessMeter
from tonetouch_ingest.listening.refusals import (
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    AudioRefused,
    BrokenAudio,
    NotAudio,
    TooLong,
    TooShort,
)

Samples = NDArray[np.float32]

RATE: Final = 44100
COMPLETE_SHARE: Final = 0.98

_OPTIONS: Final = {
    "format_whitelist": "aac,aiff,asf,avi,caf,flac,matroska,mov,mp3,ogg,w64,wav,wv",
    "protocol_whitelist": "file",
}
_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_LOSSLESS: Final = re.compile(r"pcm_|flac|alac|wavpack|ape|tta|wmalossless|truehd|mlp")
_MAGIC: Final = (b"ID3", b"fLaC", b"OggS", b"RIFF", b"FORM", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\x1aE\xdf\xa3")
# What an encoder's delay and padding may take off the declared length of a short lossy file: three frames of 1152.
_CODEC_DELAY_SAMPLES: Final = 3456
_LOWEST_RATE, _HIGHEST_RATE = 2000, 768_000


class AudioFile:
    """An open file, as a context manager. Raises `NotAudio` or `BrokenAudio` when it cannot even be opened.

    `longest_seconds` bounds the work: a few kilobytes of FLAC can hold days of silence.
    The first audio stream is the sound. Cover pictures are ignored; a real video stream is ignored too, and noted in
    `facts.has_video`.
    """

    def __init__(self, path: Path, *, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._path, self._longest_seconds = path, longest_seconds
        self._container = _open(path)
        try:
            self._stream = _sound(path, self._container)
            self.facts = _facts(path, self._container, self._stream)
        except BaseException:
            self._container.close()
            raise
        self._packets = self._damaged = 0
        self._seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._container.close()

    @property
    def expected_seconds(self) -> float | None:
        """The declared length or else FFmpeg's estimate: good enough to find the middle, not to judge the file by."""
        duration = self._container.duration
        return self.facts.declared_seconds or (duration / av.time_base if duration else None)

    def pieces(self, *, max_seconds: float | None = None, meter: LoudnessMeter | None = None) -> Iterator[Samples]:
        """Yields the sound as mono float32 at 44.1 kHz in pieces of about a second, channels mixed without clipping.

        `meter` hears every frame before it is mixed. Ends quietly at `max_seconds`. At the end of the file `facts`
        gets its decoded length, and the sound is judged: raises `BrokenAudio`, `TooShort` or `TooLong`.
        """
        mixer = _mixer()
        for frame in self._frames():
            try:
                mixed = mixer.resample(frame)
            except ValueError:  # the rate or the channels changed in the middle of the file
                yield from _arrays(mixer.resample(None))
                mixer = _mixer()
                mixed = mixer.resample(frame)
                if meter is not None:
                    meter.restart()
            if meter is not None:
                meter.add(frame)
            yield from _arrays(mixed)
            self._seconds += frame.samples / frame.sample_rate
            if max_seconds is not None and self._seconds >= max_seconds:
                yield from _arrays(mixer.resample(None))
                return
            if self._seconds > self._longest_seconds:
                raise TooLong(f"The sound is longer than {self._longest_seconds / 3600:g} hours.")
        yield from _arrays(mixer.resample(None))
        self._judge()

    def _frames(self) -> Iterator[av.AudioFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                self._damaged += 1
                return
            self._packets += 1
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self._damaged += 1
                continue
            for frame in frames:
                if frame.sample_rate >= _LOWEST_RATE:
                    yield frame

    def _judge(self) -> None:
        facts = self.facts = msgspec.structs.replace(self.facts, decoded_seconds=round(self._seconds, 4))
        declared = facts.declared_seconds
        if self._seconds == 0.0 and not declared:
            raise BrokenAudio("No sound could be decoded from the file.")
        if declared is not None:
            delay = 0.0 if facts.lossless else _CODEC_DELAY_SAMPLES / facts.sample_rate
            if declared - self._seconds > max(declared * (1 - COMPLETE_SHARE), delay):
                raise BrokenAudio(
                    f"Only {self._seconds:.1f} of {declared:.1f} seconds could be decoded: "
                    "the file is cut off or damaged."
                )
        if self._damaged > (1 - COMPLETE_SHARE) * self._packets + 1:
            raise BrokenAudio(f"{self._damaged} of {self._packets} parts of the file are damaged.")
        if is_cut_off(self._path, container=facts.container):
            raise BrokenAudio("The end of the file is missing.")
        if self._seconds < SHORTEST_SECONDS:
            raise TooShort(f"The sound lasts {self._seconds:.2f} seconds; the shortest accepted is {SHORTEST_SECONDS}.")


def probe(path: Path) -> AudioFacts:
    """What the file says about itself, from its headers alone. Raises `NotAudio` or `BrokenAudio`."""
    with AudioFile(path) as audio:
        return audio.facts


def decode(path: Path, *, max_seconds: float | None = None) -> Iterator[Samples]:
    """The sound of a file as `AudioFile.pieces` gives it. Raises every kind of `AudioRefused`."""
    with AudioFile(path) as audio:
        yield from audio.pieces(max_seconds=max_seconds)


def _open(path: Path) -> av.container.InputContainer:
    if path.stat().st_size == 0:
        raise NotAudio("The file is empty.")
    try:
        return av.open(str(path), options=dict(_OPTIONS), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> AudioRefused:
    with path.open("rb") as file:
        start = file.read(12)
    if start.startswith(_MAGIC) or start[4:8] == b"ftyp":
        return BrokenAudio("The file begins like an audio file and then cannot be read: cut off or damaged.")
    return NotAudio("The file is not in an audio format we know.")


def _sound(path: Path, container: av.container.InputContainer) -> av.AudioStream:
    if not container.streams.audio:
        raise NotAudio("There is no sound in the file.")
    stream = container.streams.audio[0]
    context: Any = stream.codec_context
    if context is None:
        raise NotAudio("The sound in the file is in a format we do not know.")
    context.thread_count = 1
    rate = stream.sample_rate
    if rate == 0:  # opened by the name of the file alone
        raise _unreadable(path)
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise BrokenAudio(f"The file claims a sample rate of {rate} Hz.")
    _settle_layout(context)
    return stream


def _settle_layout(context: Any) -> None:
    """Replaces a channel order that FFmpeg spells out channel by channel by the usual one of that many channels.

    PyAV 18.1 copies such an order without copying what it points to, and every frame then frees it again: the process
    crashes (seen with AIFF of eight channels). The mix to mono hardly differs.
    """
    layout = context.layout
    if re.match(r"\d+ channels|ambisonic", layout.name) is None:
        return
    if layout.nb_channels not in _LAYOUTS:
        raise NotAudio(f"{layout.nb_channels} channels are more than can be mixed.")
    context.layout = _LAYOUTS[layout.nb_channels]


def _facts(path: Path, container: av.container.InputContainer, stream: av.AudioStream) -> AudioFacts:
    name, codec = container.format.name.split(",")[0], stream.codec_context.name
    time_base = stream.time_base
    reported = float(stream.duration * time_base) if stream.duration and time_base else None
    if reported is None and container.duration:
        reported = container.duration / av.time_base
    picture = av.stream.Disposition.attached_pic
    return AudioFacts(
        codec=re.sub(r"float$|_fixed$", "", codec),
        container=name,
        channels=stream.codec_context.layout.nb_channels,
        sample_rate=stream.sample_rate,
        bit_rate=stream.bit_rate or container.bit_rate or None,
        declared_seconds=declared_seconds(path, container=name, reported=reported, sample_rate=stream.sample_rate),
        decoded_seconds=None,
        lossless=_LOSSLESS.match(codec) is not None,
        has_video=any(not video.disposition & picture for video in container.streams.video),
    )


def _mixer() -> av.AudioResampler:
    # Without a ceiling FFmpeg mixes float channels by power, which lifts a centred stereo sound by 3 dB.
    return av.AudioResampler(
        format="flt", layout="mono", rate=RATE, frame_size=RATE, options={"rematrix_maxval": "1.0"}
    )


def _arrays(frames: list[av.AudioFrame]) -> Iterator[Samples]:
    for frame in frames:
        yield frame.to_ndarray()[0]
