"""What can be said of a track and of an artist."""

from functools import partial
from typing import get_args

import msgspec
import pytest

from tonetouch_catalog.feedback import OF_ARTISTS, Feedback, give, subject_of
from tonetouch_contracts.feedback import FeedbackGiven, Said
from tonetouch_contracts.identity import FeedbackId, UserId
from tonetouch_runtime import Refused
from tonetouch_runtime.testing import given

LIKED = FeedbackGiven(
    feedback_id=FeedbackId("f1"), user_id=UserId("me"), about="track:t1", said="like", at="2026-01-01T00:00:00Z"
)


def test_one_id_is_one_feedback() -> None:
    """Whoever did not get the answer may repeat themselves, and what was said first stays."""
    given(Feedback()).when(partial(give, given=LIKED)).then(LIKED)
    given(Feedback(), LIKED).when(partial(give, given=LIKED)).then()
    given(Feedback(), LIKED).when(partial(give, given=msgspec.structs.replace(LIKED, said="dislike"))).then()


def test_everything_can_be_said_of_a_track() -> None:
    """And of an artist only whether they are kept away."""
    said: tuple[Said, ...] = get_args(Said)
    for word in said:
        assert subject_of("track:t1", word) == ("track", "t1")
        if word in OF_ARTISTS:
            assert subject_of("artist:a1", word) == ("artist", "a1")
        else:
            with pytest.raises(Refused):
                subject_of("artist:a1", word)


@pytest.mark.parametrize("about", ["", "t1", "track:", "track:a.b", "track:a:b", "album:x", "Track:t1", "artist:\0"])
def test_feedback_is_about_a_track_or_an_artist(about: str) -> None:
    """Anything else is refused before anybody looks for it."""
    with pytest.raises(Refused) as refused:
        subject_of(about, "never_again")
    assert refused.value.problem.code == "invalid"
