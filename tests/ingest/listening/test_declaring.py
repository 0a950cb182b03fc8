"""A declared length is one the file states, not one estimated from its size."""

import re
from pathlib import Path

import pytest

from tests.ingest.listening.files import cut
from tests.sounds import encode, song
from tonetouch_ingest.listening.declaring import declared_seconds, is_cut_off
from tonetouch_ingest.listening.decoding import decode, probe
from tonetouch_ingest.listening.refusals import BrokenAudio


@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (44100, 1), (22050, 2), (22050, 1), (8000, 1)])
def test_the_xing_header_is_found_in_every_kind_of_mp3(tmp_path: Path, rate: int, channels: int) -> None:
    """It lies elsewhere in mono and in the low rates."""
    path = encode(song(1, seconds=4.0, rate=rate)[:, :channels], tmp_path / "a.mp3", rate=rate)
    assert declared_seconds(path, container="mp3", reported=None, sample_rate=rate) == pytest.approx(4.0, abs=0.3)


def test_a_tag_of_a_megabyte_does_not_hide_the_header(tmp_path: Path) -> None:
    """The ID3 tag is stepped over by its own length."""
    path = encode(song(1, seconds=4.0), tmp_path / "a.mp3")
    size = 1 << 20
    length = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x04\x00\x00" + length + bytes(size) + path.read_bytes()[45:])
    assert declared_seconds(path, container="mp3", reported=None, sample_rate=44100) == pytest.approx(4.0, abs=0.1)


def test_a_cut_wav_still_declares_its_whole_length(tmp_path: Path) -> None:
    """The chunk size counts, not what is left of the chunk."""
    path = cut(encode(song(1, seconds=4.0), tmp_path / "a.wav"), 0.5)
    assert declared_seconds(path, container="wav", reported=2.0, sample_rate=44100) == pytest.approx(4.0)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_streamed_wav_declares_nothing(tmp_path: Path, size: int) -> None:
    """A recorder that could not go back to fill in the size leaves 0 or all ones."""
    path = encode(song(1, seconds=4.0), tmp_path / "a.wav")
    content = path.read_bytes()
    at = content.index(b"data") + 4
    path.write_bytes(content[:at] + size.to_bytes(4, "little") + content[at + 4 :])
    assert declared_seconds(path, container="wav", reported=4.0, sample_rate=44100) is None


def test_a_flac_of_unknown_length_is_no_broken_flac(tmp_path: Path) -> None:
    """A total of zero samples means that the encoder did not know."""
    path = encode(song(1, seconds=4.0), tmp_path / "a.flac")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert probe(path).declared_seconds is None
    assert sum(map(len, decode(path))) == 4 * 44100


@pytest.mark.parametrize("suffix", [".ogg", ".opus"])
def test_an_ogg_that_ends_between_two_pages_is_cut_off(tmp_path: Path, suffix: str) -> None:
    """Its last whole page does not close the stream."""
    path = encode(song(1, seconds=4.0), tmp_path / f"a{suffix}")
    assert not is_cut_off(path, container="ogg")
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"OggS")])
    assert is_cut_off(path, container="ogg")


@pytest.mark.parametrize("suffix", [".ogg", ".opus"])
def test_a_damaged_first_page_does_not_shorten_an_ogg(tmp_path: Path, suffix: str) -> None:
    """The declaration is the last position, so the sound that is missing at the start is missed."""
    path = encode(song(1, seconds=4.0), tmp_path / f"a{suffix}")
    content = bytearray(path.read_bytes())
    pages = [found.start() for found in re.finditer(b"OggS", content)]
    content[pages[2] + 300] ^= 1
    path.write_bytes(content)
    assert probe(path).declared_seconds == pytest.approx(4.0, abs=0.01)
    with pytest.raises(BrokenAudio):
        list(decode(path))


@pytest.mark.parametrize("suffix", [".ogg", ".opus"])
def test_an_ogg_with_a_bit_flipped_at_its_end_is_cut_off(tmp_path: Path, suffix: str) -> None:
    """A last page that fails its checksum does not close the stream."""
    path = encode(song(1, seconds=4.0), tmp_path / f"a{suffix}")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert is_cut_off(path, container="ogg")
