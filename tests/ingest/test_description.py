"""The text a track is found by: from its facts alone, the same every time."""

import msgspec

from tests.ingest.uploads import ANALYSED, STAGED
from tonetouch_ingest.description import describe


def test_a_quiet_track_is_described_by_the_slower_octave() -> None:
    """A beat tracker calls a ballad of 62 one of 124: people would call it slow."""
    text = describe(STAGED, ANALYSED)
    assert text.startswith("slow, 62 bpm")
    assert "sad" in text
    assert "D minor" in text
    assert "Solo Piano" in text


def test_a_wild_track_is_described_by_the_faster_octave() -> None:
    """Drum and bass of 172 is read as 86 just as often."""
    wild = msgspec.structs.replace(ANALYSED, bpm=86.0, bpm_candidates=(86.0, 172.0), energy=0.95)
    assert describe(STAGED, wild).startswith("very fast driving, 172 bpm")


def test_what_is_not_known_is_not_said() -> None:
    """No tempo, no key, no zero in their place."""
    unknown = msgspec.structs.replace(
        ANALYSED, bpm=None, bpm_candidates=(), key=None, key_strength=None, energy=None, moods=()
    )
    text = describe(STAGED, unknown)
    assert "bpm" not in text
    assert "None" not in text
    assert text == "Solo Piano. Song by Somebody."


def test_a_weak_key_is_not_shown() -> None:
    """Under a strength of 0.5 nobody should claim one."""
    weak = msgspec.structs.replace(ANALYSED, key_strength=0.4)
    assert "D minor" not in describe(STAGED, weak)
