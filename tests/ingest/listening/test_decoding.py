"""Any audio file becomes 44.1 kHz mono; what cannot be is refused with a reason."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.ingest.listening.files import FORMATS, cut, film, flip, without_header
from tests.sounds import Samples, encode, song
from tonetouch_ingest.listening.decoding import RATE, AudioFile, decode, probe
from tonetouch_ingest.listening.refusals import AudioRefused, BrokenAudio, NotAudio, TooLong, TooShort

LOSSLESS = {".flac", ".wav", ".aiff"}


def decoded(path: Path) -> Samples:
    return np.concatenate(list(decode(path)))


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_back_the_sound(tmp_path: Path, suffix: str) -> None:
    """Length, waveform and level survive: exactly where the format is lossless, nearly where it is not."""
    original = song(1, seconds=6.0)
    heard = decoded(encode(original, tmp_path / f"a{suffix}"))
    assert heard.dtype == np.float32
    assert len(heard) == pytest.approx(6.0 * RATE, abs=0.03 * RATE)
    mono, heard = original.mean(axis=1), heard[: 6 * RATE]
    mono = mono[: len(heard)]
    if suffix in LOSSLESS:
        np.testing.assert_allclose(heard, mono, atol=1e-4)
    else:
        assert np.corrcoef(heard, mono)[0, 1] > 0.99
        # LAME takes 5 % off before it encodes.
        assert np.std(heard) == pytest.approx(np.std(mono), rel=0.06)


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "lossless"),
    [
        (".mp3", "mp3", 44100, False),
        (".flac", "flac", 44100, True),
        (".ogg", "vorbis", 44100, False),
        (".opus", "opus", 48000, False),
        (".m4a", "aac", 44100, False),
        (".wav", "pcm_s16le", 44100, True),
        (".aiff", "pcm_s16be", 44100, True),
    ],
)
def test_probing_reads_what_the_file_says(tmp_path: Path, suffix: str, codec: str, rate: int, lossless: bool) -> None:
    """The headers name codec, rate, channels and length before anything is decoded."""
    facts = probe(encode(song(1, seconds=3.0), tmp_path / f"a{suffix}"))
    assert (facts.codec, facts.sample_rate, facts.channels, facts.lossless) == (codec, rate, 2, lossless)
    assert facts.container in ("mp3", "flac", "ogg", "mov", "wav", "aiff")
    assert facts.declared_seconds == pytest.approx(3.0, abs=0.06)
    assert facts.decoded_seconds is None
    assert facts.bit_rate is not None and facts.bit_rate > 30_000
    assert not facts.has_video


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_off_is_broken(tmp_path: Path, suffix: str, share: float) -> None:
    """A part of a file never passes for the whole."""
    path = cut(encode(song(2, seconds=5.0), tmp_path / f"a{suffix}"), share)
    with pytest.raises(BrokenAudio) as refused:
        decoded(path)
    assert refused.value.reason.endswith(".")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [1e-6, 1e-4, 1e-2])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_flipped_bits_cost_two_per_cent_or_the_file(tmp_path: Path, suffix: str, share: float, seed: int) -> None:
    """With bits flipped a file is refused, or at least 98 % of it is heard: nothing in between."""
    path = flip(encode(song(3, seconds=5.0), tmp_path / f"a{suffix}"), share, seed=seed)
    try:
        heard = decoded(path)
    except AudioRefused as refused:
        assert refused.reason
    else:
        assert len(heard) >= 0.98 * 5.0 * RATE


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_noise_behind_a_true_beginning_is_refused(tmp_path: Path, suffix: str) -> None:
    """When everything after the headers is damaged nothing is made of it, except where every bit is a valid sample."""
    path = encode(song(3, seconds=5.0), tmp_path / f"a{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + np.random.default_rng(0).bytes(len(content) - 4096))
    if suffix in (".wav", ".aiff"):
        assert len(decoded(path)) == 5 * RATE
    else:
        with pytest.raises(AudioRefused):
            decoded(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp3", b""),
        ("text.mp3", b"these are words, and there is no music in them\n" * 400),
        ("noise.flac", np.random.default_rng(0).bytes(50_000)),
        ("picture.mp3", b"\x89PNG\r\n\x1a\n" + bytes(500)),
        ("page.ogg", b"<!doctype html><title>404</title>" * 50),
    ],
)
def test_what_is_not_audio_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """The name of a file makes no music."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(NotAudio):
        probe(path)


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    """A playlist that names a readable audio file is not followed."""
    encode(song(1, seconds=2.0), tmp_path / "real.mp3")
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nreal.mp3\n#EXT-X-ENDLIST\n"
    for name, text in {"a.mp3": hls, "a.m3u8": hls, "b.mp3": "ffconcat version 1.0\nfile real.mp3\n"}.items():
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(NotAudio):
            decoded(path)


def test_a_fifth_of_a_second_is_too_short(tmp_path: Path) -> None:
    """The reason says how short it was."""
    with pytest.raises(TooShort, match=re.escape("0.20 seconds")):
        decoded(encode(song(1, seconds=0.2), tmp_path / "a.flac"))


@pytest.mark.parametrize("suffix", FORMATS)
def test_half_a_second_is_long_enough(tmp_path: Path, suffix: str) -> None:
    """An encoder's delay is not held against a short file."""
    assert len(decoded(encode(song(1, seconds=0.6), tmp_path / f"a{suffix}"))) >= 0.55 * RATE


def test_a_sound_beyond_the_limit_is_too_long(tmp_path: Path) -> None:
    """Decoding stops there, whatever the file declares."""
    path = encode(np.zeros((44100 * 8, 1), dtype=np.float32), tmp_path / "a.flac")
    with AudioFile(path, longest_seconds=3.6) as audio, pytest.raises(TooLong, match=re.escape("0.001 hours")):
        assert sum(map(len, audio.pieces())) <= 4 * RATE


def test_a_film_is_heard_and_noted(tmp_path: Path) -> None:
    """The sound of a video is taken; that there was a picture is a fact."""
    path = film(tmp_path / "a.mp4", song(1, seconds=2.0))
    assert probe(path).has_video
    assert len(decoded(path)) == pytest.approx(2 * RATE, rel=0.03)


def test_a_silent_film_is_not_audio(tmp_path: Path) -> None:
    """Without a sound stream there is nothing to hear."""
    with pytest.raises(NotAudio, match="no sound"):
        probe(film(tmp_path / "a.mp4", None))


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".opus", ".m4a", ".wav", ".aiff"])
def test_eight_channels_become_one(tmp_path: Path, suffix: str) -> None:
    """Surround sound is mixed down and never louder than full scale."""
    original = song(1, seconds=3.0, rate=44100)[:, :1].repeat(8, axis=1)
    path = encode(original, tmp_path / f"a{suffix}")
    assert probe(path).channels == 8
    heard = decoded(path)
    assert len(heard) == pytest.approx(3 * RATE, rel=0.01)
    assert 0.05 < np.max(np.abs(heard)) <= 1.0


@pytest.mark.parametrize("suffix", FORMATS)
def test_eight_kilohertz_become_forty_four(tmp_path: Path, suffix: str) -> None:
    """A low rate is raised; the length stays."""
    heard = decoded(encode(song(1, seconds=4.0, rate=8000), tmp_path / f"a{suffix}", rate=8000))
    assert len(heard) == pytest.approx(4 * RATE, rel=0.03)


def test_a_rate_of_a_few_hertz_is_a_bomb(tmp_path: Path) -> None:
    """A small file that would swell ten thousand times is refused before it is decoded."""
    path = encode(song(1, seconds=1.0), tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    content[24:28] = (4).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(BrokenAudio, match="4 Hz"):
        probe(path)


def test_an_mp3_without_a_header_declares_nothing(tmp_path: Path) -> None:
    """Size divided by bit rate is no declaration: a variable rate would make it wrong, and a good file broken."""
    path = without_header(encode(song(1, seconds=5.0), tmp_path / "a.mp3"))
    assert probe(path).declared_seconds is None
    assert len(decoded(path)) == pytest.approx(5 * RATE, rel=0.02)


def test_an_mp3_that_changes_its_rate_is_heard_to_the_end(tmp_path: Path) -> None:
    """Two recordings glued together play one after the other."""
    first = encode(song(1, seconds=3.0), tmp_path / "a.mp3")
    second = encode(song(2, seconds=2.0, rate=32000), tmp_path / "b.mp3", rate=32000)
    first.write_bytes(first.read_bytes() + second.read_bytes())
    assert len(decoded(first)) == pytest.approx(5 * RATE, rel=0.03)


def test_facts_are_complete_after_the_last_piece(tmp_path: Path) -> None:
    """The decoded length is known at the end; stopping early leaves it unknown."""
    path = encode(song(1, seconds=5.0), tmp_path / "a.flac")
    with AudioFile(path) as audio:
        pieces = list(audio.pieces())
        assert audio.facts.decoded_seconds == pytest.approx(5.0)
    assert max(map(len, pieces)) <= RATE
    with AudioFile(path) as audio:
        assert sum(map(len, audio.pieces(max_seconds=2.0))) == pytest.approx(2 * RATE, rel=0.1)
        assert audio.facts.decoded_seconds is None
