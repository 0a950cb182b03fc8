"""The keys of people: sealing, opening, and destroying."""

from pathlib import Path

import pytest

from tonetouch_runtime import Unavailable
from tonetouch_runtime.people import ERASED, Keys
from tonetouch_runtime.people.keys import Erasure, name_of

WORDS = "Sonntag mit Åse 夜"
ERASURE = Erasure(at="2026-11-22T22:00:00Z", operator="olga", reason="asked for it")


@pytest.fixture(name="keys")
def _keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys")


def test_what_is_sealed_is_opened_by_whoever_has_the_keys(keys: Keys) -> None:
    """Twice the same words are not the same sealed, and neither shows them, nor whose they are."""
    first, second = keys.seal("ada", WORDS), keys.seal("ada", WORDS)
    assert first != second
    assert "ada" not in first
    assert "Sonntag" not in first
    assert Keys(keys.folder).open(first) == keys.open(second) == WORDS


def test_keys_are_readable_by_their_owner_only(keys: Keys) -> None:
    """Of the folder and of what is in it."""
    keys.seal("ada", WORDS)
    (key,) = keys.folder.iterdir()
    assert (key.stat().st_mode & 0o777, keys.folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_is_sealed_stays_as_it_is(keys: Keys) -> None:
    """A service that passes words on, sealed or not, seals them once."""
    sealed = keys.seal("ada", WORDS)
    assert keys.seal("ada", sealed) == sealed


def test_what_was_never_sealed_is_read_as_it_is(keys: Keys) -> None:
    """An old log has words in the clear."""
    assert keys.open(WORDS) == WORDS
    assert keys.open("sealed.v1.") == "sealed.v1."


def test_an_erased_persons_words_are_gone_and_nobody_elses(keys: Keys) -> None:
    """At once in every process; of the file nothing is left, and there will be no other."""
    elsewhere = Keys(keys.folder)
    hers, his = keys.seal("ada", WORDS), keys.seal("bob", WORDS)
    assert elsewhere.open(hers) == WORDS
    assert keys.erase("ada", ERASURE)
    assert (elsewhere.open(hers), elsewhere.open(his)) == (ERASED, WORDS)
    assert (elsewhere.is_erased("ada"), elsewhere.is_erased("bob")) == (True, False)
    assert elsewhere.seal("ada", "something new") == ERASED
    assert not (keys.folder / name_of("ada")).exists()


def test_erasing_twice_is_erasing_once(keys: Keys) -> None:
    """Also of somebody who never said a word."""
    assert [keys.erase("ada", ERASURE), keys.erase("ada", ERASURE)] == [True, False]


def test_a_key_that_was_changed_opens_nothing(keys: Keys) -> None:
    """Words under another key, or changed on their way, count as gone; they are no reason to stop."""
    sealed = keys.seal("ada", WORDS)
    changed = sealed[:-4] + ("AAAA" if sealed[-4:] != "AAAA" else "BBBB")
    assert keys.open(changed) == ERASED
    (keys.folder / name_of("ada")).write_bytes(bytes(32))
    assert keys.open(sealed) == ERASED


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Nothing is kept in the clear because a key could not be."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Unavailable, match="cannot be"):
        Keys(tmp_path / "file" / "keys").seal("ada", WORDS)


def test_keys_are_backed_up_and_come_back(keys: Keys, tmp_path: Path) -> None:
    """Into a folder that is given again and again; only what is new is written."""
    sealed = [keys.seal("ada", WORDS), keys.seal("bob", WORDS)]
    backup, back = Keys(tmp_path / "backup"), Keys(tmp_path / "back")
    assert (backup.take_over(keys).new, backup.take_over(keys).new) == (2, 0)
    assert back.take_over(backup).keys == 2
    assert [back.open(text) for text in sealed] == [WORDS, WORDS]


def test_no_backup_of_keys_brings_the_erased_back(keys: Keys, tmp_path: Path) -> None:
    """The next backup destroys the key in the last one; and an old one changes nothing where the erasure is known."""
    sealed = keys.seal("ada", WORDS)
    backup, old = Keys(tmp_path / "backup"), Keys(tmp_path / "old")
    backup.take_over(keys)
    old.take_over(keys)
    keys.erase("ada", ERASURE)
    assert keys.take_over(old).erased == 1
    assert keys.open(sealed) == ERASED
    assert backup.take_over(keys).keys == 0
    assert backup.open(sealed) == ERASED


def test_a_key_is_never_replaced_by_another(keys: Keys, tmp_path: Path) -> None:
    """Somebody spoke before the keys were brought back: what is said under either is told apart, and counted."""
    backup = Keys(tmp_path / "backup")
    before, after = backup.seal("ada", WORDS), keys.seal("ada", WORDS)
    assert keys.take_over(backup).different == 1
    assert (keys.open(before), keys.open(after)) == (ERASED, WORDS)
