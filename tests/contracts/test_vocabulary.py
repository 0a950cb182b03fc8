"""A reader survives what it does not know, and refuses what it cannot trust."""

import json
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.golden import EVENT_SAMPLES, wire_name
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.manifest import VOCABULARY
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import TrackRejected, TrackUploaded
from tonetouch_contracts.vocabulary import UndecodableError, Unknown, Vocabulary

each_sample = pytest.mark.parametrize("sample", EVENT_SAMPLES, ids=lambda sample: sample.name)

REJECTED = TrackRejected(track_id=TrackId("0192"), reason="It is not audio.")


class SongRated(Event, frozen=True, kw_only=True, tag="song.rated"):
    """The oldest shape: stars from one to five. Retired."""

    entity_field: ClassVar[str] = "song_id"

    song_id: str
    stars: int


class SongRatedV2(Event, frozen=True, kw_only=True, tag="song.rated-v2"):
    """The second shape: a share of the best there is. Retired."""

    entity_field: ClassVar[str] = "song_id"

    song_id: str
    share: float


class SongRatedV3(Event, frozen=True, kw_only=True, tag="song.rated-v3"):
    """Today's shape, with the rater. Null where it was never kept."""

    entity_field: ClassVar[str] = "song_id"

    song_id: str
    percent: int
    rated_by: str | None = None


def in_shares(old: SongRated) -> Event:
    """Five stars are the whole."""
    return SongRatedV2(song_id=old.song_id, share=old.stars / 5)


def in_percent(old: SongRatedV2) -> Event:
    """A share in whole percent."""
    return SongRatedV3(song_id=old.song_id, percent=round(100 * old.share))


RATINGS = Vocabulary([SongRatedV3], {SongRated: in_shares, SongRatedV2: in_percent})


@given(st.text(), st.binary())
def test_a_type_nobody_knows_is_kept_as_it_came(name: str, body: bytes) -> None:
    """Other services say new things before we know them; the body is not even looked at."""
    wire = f"{name}.unheard"
    assert VOCABULARY.decode(wire, body) == Unknown(wire=wire, body=body)
    assert wire not in VOCABULARY


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"track.rejected"',
        b"not json",
        b'{"event":"track.rejected","track_id":"0192"}',
        b'{"event":"track.rejected","track_id":7,"reason":"x"}',
        b'{"event":"track.rejected","track_id":"0192","reason":null}',
        b'{"event":"track.published","track_id":"0192","reason":"x"}',
        b'{"event":"track.rejected","track_id":"0192","reason":"\xff"}',
        b'{"event":"track.rejected","track_id":"0192","reason":"x"',
        b'{"event":"track.rejected","track_id":"0192","reason":"x"}}',
        b'{"event":"track.rejected","track_id":"0192","reason":"x","z":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda body: body[:40].decode("latin-1") + f"_{len(body)}",
)
def test_a_body_that_breaks_its_types_promise_is_undecodable(body: bytes) -> None:
    """Cut short, of another type, not UTF-8, nested without end: always the same error, which readers park on."""
    with pytest.raises(UndecodableError, match=r"track\.rejected cannot be read"):
        VOCABULARY.decode("track.rejected", body)


@given(st.binary() | st.from_regex(rb'\{"event":"track\.rejected".*'))
def test_bytes_either_decode_or_are_undecodable(body: bytes) -> None:
    """No bytes at all make the reader fail in another way."""
    try:
        assert isinstance(VOCABULARY.decode("track.rejected", body), TrackRejected)
    except UndecodableError as error:
        assert str(error)


@each_sample
def test_fields_of_the_future_are_ignored(sample: Path) -> None:
    """An event with fields that came later reads as it would without them, also inside nested objects."""

    def grown(value: object) -> object:
        if isinstance(value, dict):
            return {"novelty": {"deep": [1, None]}, **{name: grown(inner) for name, inner in value.items()}}
        return value

    body = sample.read_bytes()
    newer = json.dumps(grown(json.loads(body))).encode()
    assert VOCABULARY.decode(wire_name(sample), newer) == VOCABULARY.decode(wire_name(sample), body)


@each_sample
def test_a_field_with_a_default_may_be_missing(sample: Path) -> None:
    """An event from before a field existed reads as one that holds the field's default."""
    event = VOCABULARY.decode(wire_name(sample), sample.read_bytes())
    body = json.loads(sample.read_bytes())
    for field in msgspec.structs.fields(event):
        older = json.dumps({name: value for name, value in body.items() if name != field.encode_name}).encode()
        if field.required:
            with pytest.raises(UndecodableError, match=field.encode_name):
                VOCABULARY.decode(wire_name(sample), older)
        else:
            default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            assert getattr(VOCABULARY.decode(wire_name(sample), older), field.name) == default


def test_an_upload_without_a_word_about_it_is_an_upload() -> None:
    """All that an uploader may say is optional: only the bytes and who brought them must be there."""
    body = {
        "event": "track.uploaded",
        "track_id": "0192",
        "uploaded_by": "0193",
        "object_key": "incoming/0192",
        "size_bytes": 1,
        "sha256": "00" * 32,
        "file_name": "a.mp3",
    }
    event = VOCABULARY.decode("track.uploaded", json.dumps(body).encode())
    assert isinstance(event, TrackUploaded)
    assert (event.title, event.explicit, event.lyrics_key) == (None, None, None)


def test_a_retired_shape_comes_out_as_todays() -> None:
    """Upcasters are chained: a reader written today meets only the newest shape, however old the event."""
    assert RATINGS.decode("song.rated", b'{"event":"song.rated","song_id":"1","stars":4}') == SongRatedV3(
        song_id="1", percent=80
    )
    assert RATINGS.decode("song.rated-v2", b'{"event":"song.rated-v2","song_id":"1","share":0.5}') == SongRatedV3(
        song_id="1", percent=50
    )


def test_todays_shape_passes_untouched() -> None:
    """An event in its newest shape goes through no upcaster."""
    today = SongRatedV3(song_id="1", percent=70, rated_by="2")
    assert RATINGS.decode("song.rated-v3", msgspec.json.encode(today)) == today


def test_a_retired_name_is_still_known() -> None:
    """What an upcaster exists for belongs to the vocabulary, and is checked like anything else."""
    assert "song.rated" in RATINGS
    with pytest.raises(UndecodableError):
        RATINGS.decode("song.rated", b'{"event":"song.rated","song_id":"1"}')


def test_the_body_alone_tells_its_type() -> None:
    """The tag stands in the body, so an exported event can be read without its headers."""
    assert json.loads(msgspec.json.encode(REJECTED))["event"] == "track.rejected" == REJECTED.wire_name()
