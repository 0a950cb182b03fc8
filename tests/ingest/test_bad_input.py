"""Bad input: a clear answer, nothing lost, nothing left behind.

Every kind of bad file goes through ingest as a whole. All of them share one run: the servers cost more than they do.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import mutagen.id3
import numpy as np
import pytest
import pytest_asyncio

from tests.ingest.installation import (
    Neighbours,
    ended,
    keys,
    notes,
    say_uploaded,
    step_of,
    until,
    upload,
    with_status,
)
from tests.ingest.listening.files import FORMATS, cut, film, flip
from tests.ingest.listening.test_cover import png_claiming
from tests.ingest.pictures import picture
from tests.ingest.tones import tone
from tests.sounds import encode, song
from tonetouch_contracts.finding import SoundMatch
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import MarkDuplicate, PublishTrack, RejectTrack
from tonetouch_contracts.upload import RetryIngest
from tonetouch_runtime import Floor, Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

# mutagen annotates only a part of its functions.
id3: Any = mutagen.id3


KINDS = ("incoming/", "audio/", "image/", "lyrics/")


@pytest.fixture(name="neighbours")
def _neighbours(shared_floor: tuple[Floor, Neighbours]) -> Neighbours:
    return shared_floor[1]


@pytest_asyncio.fixture(loop_scope="module", name="floor")
async def _floor(shared_floor: tuple[Floor, Neighbours]) -> AsyncIterator[Floor]:
    """Ingest with an empty store, and neighbours that know nothing of the tests before."""
    floor, neighbours = shared_floor
    yield floor
    neighbours.forget()
    for key in await keys(floor):
        await floor.objects.delete(key)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def tagged(path: Path, *frames: Any) -> Path:
    tags = id3.ID3()
    for frame in frames:
        tags.add(frame)
    tags.save(path)
    return path


async def assert_nothing_left(floor: Floor, *kept: str) -> None:
    """No object but these, and no file in the scratch folder; what was rejected is cleared away after it is said."""
    with suppress(TimeoutError):
        await until(lambda: _are_kept(floor, kept), seconds=20.0)
    assert sorted(await keys(floor, *KINDS)) == sorted(kept)
    scratch = floor.settings.data / "scratch"
    assert [path for path in scratch.rglob("*") if path.is_file()] == []


async def _are_kept(floor: Floor, kept: Sequence[str]) -> bool:
    return sorted(await keys(floor, *KINDS)) == sorted(kept)


NO_AUDIO: dict[str, tuple[Callable[[Path], Path], str]] = {
    "zero bytes": (lambda to: written(to / "empty.mp3", b""), "The file is empty"),
    "text named .mp3": (lambda to: written(to / "text.mp3", b"words, no music\n" * 900), "not in an audio format"),
    "noise named .flac": (
        lambda to: written(to / "noise.flac", np.random.default_rng(0).bytes(50_000)),
        "not in an audio format",
    ),
    "a picture named .mp3": (lambda to: written(to / "picture.mp3", picture()), "not in an audio format"),
    "a playlist named .mp3": (
        lambda to: written(to / "list.mp3", b"#EXTM3U\n#EXTINF:2,\nfile:///etc/hostname\n"),
        "not in an audio format",
    ),
    "a film without sound": (lambda to: film(to / "mute.mp4", None), "There is no sound"),
    "0.2 seconds": (lambda to: encode(tone(1, seconds=0.2), to / "blip.flac"), r"lasts 0\.20 seconds; the shortest"),
    "only a header": (lambda to: cut(encode(tone(2), to / "head.flac"), 0.0005), "cut off or damaged"),
} | {
    f"half of a {suffix}": (
        lambda to, suffix=suffix, seed=seed: cut(encode(tone(seed), to / f"half{suffix}"), 0.5),
        r"cut off or damaged|is missing|are damaged",
    )
    for seed, suffix in enumerate(FORMATS, start=10)
}


@pytest.mark.timeout(240)
async def test_a_bad_file_is_rejected_with_words(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Every one says why in a sentence, fails at one step, skips the others, and leaves nothing behind.

    Each brings a sound cover and lyrics along, which have to go as well.
    """
    tracks: dict[str, TrackId] = {}
    for number, (kind, (make, _)) in enumerate(NO_AUDIO.items()):
        (folder := tmp_path / str(number)).mkdir()
        words = f"[00:01.00]{kind}".encode()
        tracks[kind] = await upload(floor, make(folder), cover=picture(), lyrics=words)
    views = {kind: await ended(floor, track, "rejected", seconds=120.0) for kind, track in tracks.items()}
    for kind, view in views.items():
        assert re.search(NO_AUDIO[kind][1], view.reason or ""), f"{kind}: {view.reason}"
        assert (view.reason or "").endswith("."), f"{kind}: {view.reason}"
        (failed,) = [step for step in view.steps if step.state == "failed"]
        assert failed.error == view.reason
        assert {step.state for step in view.steps} <= {"done", "failed", "skipped"}, kind
        assert step_of(view, "publish").state == "skipped"

    async def all_told() -> bool:
        return {command.track_id for command in neighbours.of(RejectTrack)} == set(tracks.values())

    await until(all_told)
    assert {command.track_id: command.reason for command in neighbours.of(RejectTrack)} == {
        view.track_id: view.reason for view in views.values()
    }
    assert neighbours.of(PublishTrack) == []
    await until(lambda: _is_empty(floor))
    await assert_nothing_left(floor)
    with pytest.raises(Refused, match=r"rejected: The file is empty"):
        await floor.ask(RetryIngest(track_id=tracks["zero bytes"]))


async def _is_empty(floor: Floor) -> bool:
    return not await keys(floor, "incoming/")


@pytest.mark.timeout(240)
async def test_flipped_bits_cost_the_file_or_nothing(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """In every format: published whole, or rejected in words with nothing left; never stuck, never failed."""
    tracks = [
        await upload(floor, flip(encode(tone(seed), tmp_path / f"{seed}{suffix}"), share, seed=seed))
        for share in (1e-5, 1e-2)
        for seed, suffix in enumerate(FORMATS, start=30)
    ]
    views = [await ended(floor, track, "published", "rejected", seconds=120.0) for track in tracks]
    assert all(view.reason for view in views if view.status == "rejected")
    assert any(view.status == "rejected" for view in views)
    await until(lambda: _is_empty(floor))
    await assert_nothing_left(floor, *{f"audio/{said.audio.sha256}" for said in neighbours.of(PublishTrack)})


async def test_unusual_sounds_are_published(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """A wrong suffix, a film with sound, eight channels, 8 kHz, silence: what can be played is taken."""
    mp3 = encode(tone(50), tmp_path / "true.mp3")
    silence = encode(np.zeros((44100 * 7, 2), dtype=np.float32), tmp_path / "silence.flac")
    files = {
        "an mp3 named .flac": mp3.rename(tmp_path / "wrong.flac"),
        "a film with sound": film(tmp_path / "film.mp4", tone(51, seconds=6.0), seconds=6.0),
        "eight channels": encode(tone(52, channels=8), tmp_path / "eight.flac"),
        "8 kHz": encode(tone(53, rate=8000), tmp_path / "low.wav", rate=8000),
        "silence": silence,
    }
    tracks = {kind: await upload(floor, file) for kind, file in files.items()}
    for track in tracks.values():
        await ended(floor, track, "published")
    said = {kind: neighbours.published(track) for kind, track in tracks.items()}
    assert {kind: (one.audio.content_type, one.audio.codec) for kind, one in said.items()} == {
        "an mp3 named .flac": ("audio/mpeg", "mp3"),
        "a film with sound": ("audio/mp4", "aac"),
        "eight channels": ("audio/flac", "flac"),
        "8 kHz": ("audio/wav", "pcm_s16le"),
        "silence": ("audio/flac", "flac"),
    }
    assert await notes(floor, tracks["a film with sound"]) == ("the moving picture in the file is not shown",)
    quiet = said["silence"]
    assert (quiet.bpm, quiet.key, quiet.key_strength, quiet.energy, quiet.loudness_lufs) == (None,) * 5
    assert (quiet.moods, quiet.bpm_candidates) == ((), ())
    assert all(6.0 <= one.duration_seconds <= 7.1 for one in said.values())
    await assert_nothing_left(floor, *(f"audio/{one.audio.sha256}" for one in said.values()))


async def test_hostile_tags_and_names_become_plain_text(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Tags of a megabyte are cut; control, zero-width and bidi characters and folders do not come through."""
    huge = tagged(encode(tone(60), tmp_path / "huge.mp3"), id3.TIT2(text="A" * 1_000_000), id3.TPE1(text="B" * 100_000))
    sly = tagged(
        encode(tone(61), tmp_path / "sly.mp3"),
        id3.TIT2(text="\u202eevil\u202c\x01\x07 \u200btitle\r\nnext"),
        id3.TPE1(text="\x1b[31mred"),
    )
    plain = encode(tone(62), tmp_path / "plain.mp3")
    tracks = [
        await upload(floor, huge, lyrics=("🎵" * 90_000).encode()),
        await upload(floor, sly, album="Al\u2066bum\x00\n"),
        await upload(floor, plain, name="../../../etc/02 - passwd.mp3"),
    ]
    for track in tracks:
        await ended(floor, track, "published")
    long, clean, path = (neighbours.published(track) for track in tracks)
    assert (len(long.title), len(long.artist)) == (300, 300)
    assert (clean.title, clean.artist, clean.album) == ("evil title next", "[31mred", "Album")
    assert (path.title, path.artist) == ("passwd", "Unknown artist")


async def test_a_cover_that_cannot_be_shown_is_left_out(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """A decompression bomb, garbage, one too large and one that is gone: a note each, and the track is published."""
    covers = {
        "bomb": (png_claiming(30_000, 30_000), r"too many pixels; at most 25 megapixels"),
        "garbage": (b"no picture at all" * 50, r"no JPEG, PNG, WebP or GIF"),
        "broken": (picture()[:60], r"broken or cut off"),
        "large": (b"\x89PNG\r\n\x1a\n" + bytes(11 << 20), r"larger than 10 MiB"),
    }
    tracks = {
        kind: await upload(floor, encode(tone(seed), tmp_path / f"{kind}.flac"), cover=data)
        for seed, (kind, (data, _)) in enumerate(covers.items(), start=70)
    }
    embedded = tagged(
        encode(tone(76), tmp_path / "embedded.mp3"),
        id3.APIC(mime="image/png", type=3, data=png_claiming(30_000, 30_000)),
    )
    tracks["embedded"] = await upload(floor, embedded)
    tracks["gone"] = await upload(
        floor, encode(tone(77), tmp_path / "gone.flac"), cover_key=f"incoming/{floor.clock.new_id()}.cover"
    )
    expected = {kind: words for kind, (_, words) in covers.items()}
    expected |= {"embedded": expected["bomb"], "gone": "no longer there"}
    for kind, track in tracks.items():
        view = await ended(floor, track, "published")
        assert step_of(view, "describe_cover").state == "skipped"
        assert neighbours.published(track).cover is None
        (note,) = await notes(floor, track)
        assert note.startswith("the cover was left out: ")
        assert re.search(expected[kind], note), f"{kind}: {note}"
    await assert_nothing_left(floor, *(f"audio/{said.audio.sha256}" for said in neighbours.of(PublishTrack)))


async def test_odd_lyrics_are_kept_as_far_as_they_go(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Malformed LRC stays as text, another encoding is read, and what is too large is left out; each with a note."""
    texts = {
        "malformed": (b"[00:01.00]One\n[99:99:99:99] Two\n[offset:soon]\n[00:0", r"malformed time|offset"),
        "windows": ("Grüße aus Köln".encode("cp1252"), r"not UTF-8 and was read as Windows-1252"),
        "binary": (bytes(range(256)) * 8, r"not UTF-8"),
        "large": (b"la " * 500_000, r"lyrics were left out: It is larger than 1 MiB"),
    }
    tracks = {
        kind: await upload(floor, encode(tone(seed), tmp_path / f"{kind}.flac"), lyrics=data)
        for seed, (kind, (data, _)) in enumerate(texts.items(), start=80)
    }
    tracks["utf-16"] = await upload(floor, encode(tone(86), tmp_path / "w.flac"), lyrics="Grüße".encode("utf-16"))
    for track in tracks.values():
        await ended(floor, track, "published")
    lyrics = {kind: neighbours.published(track).lyrics for kind, track in tracks.items()}
    assert lyrics["malformed"] is not None and "[00:01.00]One" in lyrics["malformed"] and "Two" in lyrics["malformed"]
    assert (lyrics["windows"], lyrics["utf-16"], lyrics["large"]) == ("Grüße aus Köln", "Grüße", None)
    assert not set(lyrics["binary"] or "") & {chr(code) for code in range(32)} - {"\n"}
    for kind, (_, words) in texts.items():
        assert re.search(words, " ".join(await notes(floor, tracks[kind]))), kind
    kept = {said.lyrics_sha256: said.lyrics for said in neighbours.of(PublishTrack) if said.lyrics}
    assert set(await keys(floor, "lyrics/")) == {f"lyrics/{sha256}" for sha256 in kept}
    for sha256, text in kept.items():
        assert (await floor.objects.get(f"lyrics/{sha256}", max_bytes=1 << 20)).decode() == text


async def test_the_same_broken_file_twice_at_once_is_rejected_twice(floor: Floor, tmp_path: Path) -> None:
    """The first to be rejected takes the shared bytes with it; the second comes to the same verdict all the same."""
    file = cut(encode(song(90, seconds=8.0), tmp_path / "a.mp3"), 0.6)
    tracks = await asyncio.gather(*(upload(floor, file) for _ in range(4)))
    views = [await ended(floor, track, "rejected") for track in tracks]
    assert len({view.reason for view in views}) == 1
    await until(lambda: _is_empty(floor))
    await assert_nothing_left(floor)


async def test_a_rejected_upload_takes_nothing_of_another(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Cover and lyrics of a broken file are those of a published track, and its hash that of the track's audio."""
    file, words = encode(tone(91), tmp_path / "sound.flac"), b"[00:01.00]Shared words"
    sound = await upload(floor, file, cover=picture(), lyrics=words)
    await ended(floor, sound, "published")
    before = sorted(await keys(floor, "audio/", "image/", "lyrics/"))
    assert len(before) == 3
    broken = await upload(floor, cut(file, 0.5), cover=picture(), lyrics=words)
    liar = TrackId(floor.clock.new_id())
    await floor.objects.put(f"incoming/{liar}", b"something else")
    await say_uploaded(floor, liar, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    for track in (broken, liar):
        await ended(floor, track, "rejected")
    await until(lambda: _is_empty(floor))
    await assert_nothing_left(floor, *before)
    assert neighbours.of(MarkDuplicate) == []


async def test_a_duplicate_leaves_nothing_behind(floor: Floor, tmp_path: Path) -> None:
    """Its own cover and lyrics go with it; the earlier track's stay."""
    file = encode(tone(92), tmp_path / "sound.flac")
    first = await upload(floor, file, cover=picture("blue"), lyrics=b"First words")
    await ended(floor, first, "published")
    before = sorted(await keys(floor, "audio/", "image/", "lyrics/"))
    second = await upload(floor, file, cover=picture("green"), lyrics=b"Other words")
    await ended(floor, second, "duplicate")
    await assert_nothing_left(floor, *before)


async def test_a_duplicate_by_sound_keeps_its_bytes_once(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """A person may want both. Its own bytes sent again are a duplicate by theirs, of the same original."""
    sound = song(95, seconds=20.0)
    first = await upload(floor, encode(sound, tmp_path / "a.flac"))
    await ended(floor, first, "published")
    before = sorted(await keys(floor, "audio/"))
    neighbours.matches = (SoundMatch(track_id=first, cosine=0.99, duration_seconds=20.0),)
    again = encode(sound, tmp_path / "a.opus")
    for _ in range(2):
        await ended(floor, await upload(floor, again), "duplicate")
    assert [(marked.of, marked.reason) for marked in neighbours.of(MarkDuplicate)] == [
        (first, "the same recording"),
        (first, "the same file"),
    ]
    kept = hashlib.sha256(again.read_bytes()).hexdigest()
    await assert_nothing_left(floor, *sorted([*before, f"audio/{kept}"]))


async def test_altered_bytes_are_rejected(floor: Floor, tmp_path: Path) -> None:
    """What lies in the store is not what was sent: the uploader is asked to send it again."""
    track = TrackId(floor.clock.new_id())
    await floor.objects.put(f"incoming/{track}", encode(tone(93), tmp_path / "a.flac").read_bytes())
    await say_uploaded(floor, track, sha256="0" * 64)
    view = await ended(floor, track, "rejected")
    assert view.reason == "The stored bytes are not the ones that were sent; upload the file again."
    await until(lambda: _is_empty(floor))
    await assert_nothing_left(floor)


async def test_missing_bytes_fail_the_upload_until_they_are_back(
    floor: Floor, neighbours: Neighbours, tmp_path: Path
) -> None:
    """The store has lost them, which is not the file's fault: an operator is told, and can retry."""
    file = encode(tone(94), tmp_path / "a.flac")
    track = TrackId(floor.clock.new_id())
    await say_uploaded(floor, track, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    view = await with_status(floor, track, "failed")
    assert view.reason == (
        f"incoming/{track} is missing in the object store. Bring it back and retry, or upload the file again."
    )
    assert step_of(view, "stage").attempts == 3
    await floor.objects.put(f"incoming/{track}", file.read_bytes())
    await floor.ask(RetryIngest(track_id=track))
    await ended(floor, track, "published")
    assert neighbours.published(track).audio.codec == "flac"
