"""The evaluation of duplicates, on two songs of forty seconds: what it finds, and that it would tell."""

from dataclasses import replace
from itertools import chain

import pytest

from tests.evaluation.sounds import Evaluated, evaluated, failures
from tests.evaluation.sounds_forms import INSTRUMENTAL, ORIGINAL, Heard, heard


@pytest.fixture(name="library", scope="module")
def _library() -> list[Heard]:
    forms = ("opus 48k", "3 s cut", INSTRUMENTAL)
    return list(chain.from_iterable(heard(name, forms, seconds=40.0) for name in ("song 1", "song 2")))


@pytest.fixture(name="result", scope="module")
def _result(library: list[Heard]) -> Evaluated:
    return evaluated(library)


def test_files_of_one_recording_are_found_and_instrumentals_are_linked(result: Evaluated) -> None:
    """And no stranger is either, though all are held against each other."""
    outcomes = {(one.form, one.outcome) for one in result.found}
    assert outcomes == {("opus 48k", "duplicate"), ("3 s cut", "duplicate"), (INSTRUMENTAL, "version")}
    assert (result.pairs_of_strangers, list(result.merged), list(result.linked)) == (8, [], [])
    assert failures(result) == []


def test_what_is_not_as_it_has_to_be_is_told(library: list[Heard], result: Evaluated) -> None:
    """A file that is not found, an instrumental that is merged, a stranger that is taken for the song."""
    missed = replace(result.found[0], outcome="new")
    merged = replace(result.found[2], outcome="duplicate")
    wrong = replace(result.found[1], outcome="wrong")
    told = failures(replace(result, found=[missed, merged, wrong], merged=["song 1 and song 2"]))
    assert [sentence.partition(": ")[0] for sentence in told] == [
        "song 1, opus 48k",
        "song 1, 3 s cut",
        "song 1, instrumental",
        "Two strangers were merged",
    ]
    impostor = replace(next(one for one in library if one.form == ORIGINAL), song="song 3")
    assert evaluated([*library, impostor]).merged
