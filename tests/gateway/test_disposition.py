"""What a part says of itself, in the spellings that clients use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_gateway.disposition import MAX_FILENAME_CHARS, base_name, parse_disposition


@pytest.mark.parametrize(
    ("header", "filename"),
    [
        (b'form-data; name="file"; filename="song.mp3"', "song.mp3"),
        (b"form-data; name=file; filename=song.mp3", "song.mp3"),
        (b'Form-Data;name="file";FileName="song.mp3"', "song.mp3"),
        (b'form-data; name="file"; filename="../../etc/passwd"', "passwd"),
        (b'form-data; name="file"; filename="C:\\x\\y.mp3"', "y.mp3"),
        (b'form-data; name="file"; filename="\\\\server\\share\\y.mp3"', "y.mp3"),
        (b'form-data; name="file"; filename="a;b=\\"c\\".mp3"', 'a;b="c".mp3'),
        (b'form-data; name="file"; filename="%22Heroes%22.mp3"', '"Heroes".mp3'),
        ('form-data; name="file"; filename="Čaj ☕.mp3"'.encode(), "Čaj ☕.mp3"),
        ('form-data; name="file"; filename="Übung.mp3"'.encode("latin-1"), "Übung.mp3"),
        (b"form-data; name=file; filename=\"plain.mp3\"; filename*=UTF-8''na%C3%AFve.mp3", "naïve.mp3"),
        (b"form-data; name=file; filename*=iso-8859-1'en'%A3.mp3; filename=plain.mp3", "£.mp3"),
        (b"form-data; name=file; filename=plain.mp3; filename*=utf-8''%FF", "plain.mp3"),
        (b"form-data; name=file; filename=plain.mp3; filename*=klingon''x", "plain.mp3"),
        (b"form-data; name=file; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        (b"form-data; name=file; filename=\"a; filename*=UTF-8''b\"", "a; filename*=UTF-8''b"),
        (b'form-data; name="file"; filename="a%0D%0Ab\x07.mp3"', "ab.mp3"),
        ('form-data; name="file"; filename="a\u202e3pm.gpj"'.encode(), "a3pm.gpj"),
        (b'form-data; name="file"; filename=".."', ""),
        (b'form-data; name="file"; filename="folder/"', ""),
        (b'form-data; name="file"; filename=""', ""),
        (b'form-data; name="file"', ""),
    ],
)
def test_only_the_base_name_of_a_file_counts(header: bytes, filename: str) -> None:
    """Paths, escapes, character sets and control characters come down to a name."""
    disposition = parse_disposition(header)
    assert disposition is not None
    assert (disposition.name, disposition.filename) == ("file", filename)


@pytest.mark.parametrize("header", [b"", b"form-data", b"attachment; name=file", b"form-data; filename=a"])
def test_a_part_of_a_form_has_a_name(header: bytes) -> None:
    """Anything else is not a part of a form."""
    assert parse_disposition(header) is None


@given(st.text(max_size=600))
def test_a_base_name_is_safe_whatever_was_sent(filename: str) -> None:
    """No separators, no control characters, no dots alone, and never longer than a file system allows."""
    name = base_name(filename)
    assert len(name) <= MAX_FILENAME_CHARS
    assert not set(name) & set("/\\\r\n\0\u202e")
    assert name.strip(".") or name == ""
    assert base_name(name) == name


def test_a_long_name_keeps_its_extension() -> None:
    """The extension tells a person what the file is."""
    assert base_name("x" * 400 + ".flac").endswith("x.flac")


@given(st.binary(max_size=200))
def test_any_header_is_read_or_refused(header: bytes) -> None:
    """No header raises."""
    parse_disposition(b"form-data; name=file; " + header)
