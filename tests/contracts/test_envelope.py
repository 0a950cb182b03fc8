"""An event's attributes survive the journey through headers, whatever they hold."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_contracts.envelope import Envelope, EnvelopeError, decode_value, encode_value

ENVELOPES = st.builds(
    Envelope,
    id=st.text(),
    type=st.text(),
    source=st.text(),
    subject=st.text(),
    time=st.text(),
    causation=st.none() | st.text(),
    correlation=st.none() | st.text(),
    traceparent=st.none() | st.text(),
)
REQUIRED = ("ce-specversion", "ce-id", "ce-type", "ce-source", "ce-subject", "ce-time")


def uploaded(**changes: str) -> Envelope:
    """The envelope of an upload, with these attributes changed."""
    plain = {
        "id": "0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e10",
        "type": "track.uploaded",
        "source": "/catalog/track",
        "subject": "0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e11",
        "time": "2025-11-22T09:00:00.000Z",
    }
    return Envelope(**{**plain, **changes})


@given(ENVELOPES)
def test_any_text_round_trips(envelope: Envelope) -> None:
    """Whatever text an attribute holds, the reader gets the same text; what was absent stays absent."""
    assert Envelope.from_headers(envelope.to_headers()) == envelope


@given(ENVELOPES)
def test_all_header_values_are_printable_ascii(envelope: Envelope) -> None:
    """No value holds a space, a control character or anything beyond ASCII: servers and clients mangle those."""
    for value in envelope.to_headers().values():
        assert all("\x21" <= character <= "\x7e" for character in value)


@given(ENVELOPES, st.randoms())
def test_names_are_read_whatever_their_case(envelope: Envelope, random: Random) -> None:
    """Header names are compared without regard to case, as the specification asks."""
    shuffled = {
        "".join(random.choice((letter.lower(), letter.upper())) for letter in name): value
        for name, value in envelope.to_headers().items()
    }
    assert Envelope.from_headers(shuffled) == envelope


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("plain-text_1.2/~", "plain-text_1.2/~"),
        ("two words", "two%20words"),
        ("Märta Sjö", "M%C3%A4rta%20Sj%C3%B6"),
        ("雨", "%E9%9B%A8"),
        ("🎵", "%F0%9F%8E%B5"),
        ("a\r\nNats-Msg-Id: forged", "a%0D%0ANats-Msg-Id:%20forged"),
        ('100 % "sure"', "100%20%25%20%22sure%22"),
        ("%41", "%2541"),
        ("\x00\x7f", "%00%7F"),
        ("", ""),
    ],
)
def test_values_are_percent_encoded_as_the_binding_says(text: str, encoded: str) -> None:
    """Spaces, quotes, percent signs and all outside U+0021 to U+007E are escaped byte by byte, the rest stands."""
    assert encode_value(text) == encoded
    assert decode_value(encoded) == text


@pytest.mark.parametrize(("encoded", "text"), [("%c3%a9", "é"), ("%41%42", "AB"), ("%C3%a9t%C3%A9", "été")])
def test_other_writers_escapes_are_read(encoded: str, text: str) -> None:
    """Lower-case digits and escapes that were not needed come from other writers, and mean the same."""
    assert decode_value(encoded) == text


@pytest.mark.parametrize(
    "value", ["%", "100%", "%4", "%G1", "%%41", "ok%2", "%C3", "%FF", "%C3%28", "%ED%A0%80", "%C0%AF"]
)
def test_broken_escapes_are_refused(value: str) -> None:
    """An escape that is cut short, or bytes that are not UTF-8, make the envelope unreadable; nothing is guessed."""
    with pytest.raises(EnvelopeError):
        decode_value(value)
    with pytest.raises(EnvelopeError):
        Envelope.from_headers({**uploaded().to_headers(), "ce-subject": value})


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_missing_header_is_refused_by_name(missing: str) -> None:
    """Every required attribute must be there; the error says which one is not."""
    headers = uploaded().to_headers()
    del headers[missing]
    with pytest.raises(EnvelopeError, match=missing):
        Envelope.from_headers(headers)


@pytest.mark.parametrize("headers", [None, {}, {"content-type": "application/json"}])
def test_a_message_without_an_envelope_is_refused(headers: dict[str, str] | None) -> None:
    """Something that is no CloudEvent (no headers at all, or others) is an EnvelopeError, not a crash."""
    with pytest.raises(EnvelopeError):
        Envelope.from_headers(headers)


def test_another_version_of_the_specification_is_refused() -> None:
    """Attributes of another major version may mean something else."""
    with pytest.raises(EnvelopeError, match=r"0\.3"):
        Envelope.from_headers({**uploaded().to_headers(), "ce-specversion": "0.3"})


def test_text_without_a_utf8_form_is_refused_when_written() -> None:
    """Half a surrogate pair could be written and never read again, so it is refused before it enters the log."""
    with pytest.raises(EnvelopeError):
        uploaded(source="\ud800").to_headers()


def test_the_bus_sees_one_message_id_for_one_event() -> None:
    """`Nats-Msg-Id` is the event's id, so that the server drops a repeated append."""
    headers = uploaded(id="a b").to_headers()
    assert headers["Nats-Msg-Id"] == headers["ce-id"] == "a%20b"


def test_the_headers_are_those_of_binary_mode() -> None:
    """The names are lower case, the body is declared as JSON, and what is absent has no header."""
    assert uploaded(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").to_headers() == {
        "ce-specversion": "1.0",
        "ce-id": "0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e10",
        "ce-type": "track.uploaded",
        "ce-source": "/catalog/track",
        "ce-subject": "0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e11",
        "ce-time": "2025-11-22T09:00:00.000Z",
        "ce-datacontenttype": "application/json",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "Nats-Msg-Id": "0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e10",
    }
