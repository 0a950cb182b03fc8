"""What was heard is heard once, wherever the bytes lie."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.ingest.tones import tone
from tests.ingest.uploads import STARTED
from tests.sounds import encode
from tonetouch_contracts.identity import ContentHash
from tonetouch_ingest.ears import Ears
from tonetouch_ingest.shelving import audio_key
from tonetouch_ingest.upload import Upload
from tonetouch_runtime import Floor, ObjectMissing


def claiming(sha256: str) -> Upload:
    return Upload(started=msgspec.structs.replace(STARTED, sha256=ContentHash(sha256)))


async def test_two_who_ask_at_once_get_one_answer(floor: Floor, tmp_path: Path) -> None:
    """Fingerprint and analyse want the same file: it is decoded once."""
    await floor.objects.put(audio_key("a" * 64), encode(tone(1), tmp_path / "a.flac").read_bytes())
    ears = floor.get(Ears)
    one, other = await asyncio.gather(ears.hear(claiming("a" * 64)), ears.hear(claiming("a" * 64)))
    assert one is other


async def test_bytes_that_went_with_another_upload_are_heard_where_they_came_in(floor: Floor, tmp_path: Path) -> None:
    """Of two uploads of one broken file, the first to be rejected takes ``audio/<sha256>`` away."""
    await floor.objects.put(STARTED.object_key, encode(tone(2), tmp_path / "b.flac").read_bytes())
    heard = await floor.get(Ears).hear(claiming("b" * 64))
    assert heard.measurement.duration_seconds == pytest.approx(6.0)


async def test_bytes_that_are_nowhere_are_missing(floor: Floor, tmp_path: Path) -> None:
    """And once they are back, they are heard: a failure is not remembered."""
    with pytest.raises(ObjectMissing):
        await floor.get(Ears).hear(claiming("c" * 64))
    await floor.objects.put(audio_key("c" * 64), encode(tone(3), tmp_path / "c.flac").read_bytes())
    heard = await floor.get(Ears).hear(claiming("c" * 64))
    assert heard.measurement.duration_seconds == pytest.approx(6.0)
