"""The figures of the search evaluation mean what they say."""

import pytest

from tests.evaluation.questions import questions
from tests.evaluation.searches import AGAIN, LETTERS, OURS, VECTORS, Score, failures, mean, measured, score, table
from tests.evaluation.songs import SONGS, strangers
from tests.runtime.installation import provision
from tonetouch_recommend.app import app
from tonetouch_runtime import Settings, running


def test_the_first_right_one_and_how_many_of_them_count() -> None:
    """Within the first ten; more than ten answers cannot be there."""
    assert score(["a", "b", "c"], frozenset("b")) == Score(0.5, 1.0)
    assert score(["a", "b", "c"], frozenset("cd")) == Score(1 / 3, 0.5)
    assert score([*"abcdefghij", "k"], frozenset("k")) == Score(0.0, 0.0)
    assert score([*"abcdefghij"], frozenset("abcdefghijklmnop")) == Score(1.0, 1.0)
    assert mean([Score(1.0, 0.5), Score(0.0, 0.5)]) == Score(0.5, 0.5)


def test_ours_has_to_be_as_good_as_either_half_of_it() -> None:
    """In both figures."""
    good, bad = [Score(0.5, 0.9)], [Score(0.4, 0.9)]
    assert failures({OURS: good, LETTERS: bad, VECTORS: good, AGAIN: [Score(1.0, 1.0)]}) == []
    assert failures({OURS: bad, LETTERS: bad, VECTORS: good}) == [f"{OURS} has a lower reciprocal rank than {VECTORS}"]


def test_there_are_questions_enough_and_each_has_an_answer() -> None:
    """Of eight kinds, judged over the songs and the strangers among them; the strangers are the same every time."""
    songs = (*SONGS, *strangers(50))
    asked = questions(songs)
    assert len(asked) >= 150
    assert all(question.answers for question in asked)
    assert len({question.family for question in asked}) == 8
    assert len({song.title for song in songs}) == len(songs)
    assert strangers(50) == strangers(50)


@pytest.mark.parametrize("families", [("lines", "typos", "folded")])
async def test_questions_are_asked_of_the_service_itself(settings: Settings, families: tuple[str, ...]) -> None:
    """Over a few songs everything is found."""
    songs = SONGS[:6]
    titles = {song.title for song in songs}
    asked = [one for one in questions(SONGS) if one.family in families and one.answers <= titles]
    await provision(settings)
    async with running(app, settings) as floor:
        scores = await measured(floor, asked, songs)
    assert len(asked) > 10
    assert mean(scores[OURS]).recall == 1.0
    assert failures(scores) == []
    assert table(asked, len(songs), scores).row_count == len({one.family for one in asked}) + 1
