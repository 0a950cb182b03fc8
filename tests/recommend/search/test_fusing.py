"""Letters and meaning make one ranking, whose order no longer list changes."""

from tonetouch_recommend.search.fusing import LETTERS_SHARE, Ranked, fused


def near(*scores: float) -> list[Ranked]:
    return [Ranked(f"near-{place}", score, "description") for place, score in enumerate(scores)]


def test_a_whole_name_comes_before_what_is_only_meant() -> None:
    """However near that lies; and among names meaning decides."""
    names = [Ranked("a", 1.0, "title"), Ranked("b", 1.0, "title")]
    order = fused(names, near(0.9, 0.2), {"a": 0.1, "b": 0.3})
    assert [one.id for one in order] == ["b", "a", "near-0", "near-1"]


def test_a_cosine_counts_by_the_nearest_there_is() -> None:
    """Models differ in what they call near: twice the cosines make the same ranking."""
    names = [Ranked("a", 0.5, "title"), Ranked("near-1", 0.3, "artist")]
    once, twice = (
        fused(names, near(*scores), {"a": 0.1 * by, "near-1": 0.2 * by})
        for by, scores in ((1, (0.3, 0.2)), (2, (0.6, 0.4)))
    )
    assert [(one.id, round(one.score, 9)) for one in once] == [(one.id, round(one.score, 9)) for one in twice]


def test_each_thing_stands_once_at_its_best() -> None:
    """Found in its description, in two passages and by its name."""
    meant = [Ranked("a", 0.5, "description"), Ranked("a", 0.8, "lyrics", 3), Ranked("a", 0.2, "lyrics", 4)]
    assert [(one.where, one.passage) for one in fused([], meant, {})] == [("lyrics", 3)]
    assert [one.where for one in fused([Ranked("a", 0.9, "title")], meant, {"a": 0.5})] == ["title"]


def test_a_longer_list_changes_nothing_before_its_end() -> None:
    """A page deeper down knows more of what is near, and the pages before stay what they were."""
    names = [Ranked("a", 0.4, "title"), Ranked("near-7", 0.2, "artist"), Ranked("z", 0.9, "title")]
    cosines = {"a": 0.3, "near-7": 0.13, "z": 0.0}
    whole = near(*(0.2 - place / 100 for place in range(15)))
    for known in range(1, 15):
        least = (1 - LETTERS_SHARE) * whole[known - 1].score / whole[0].score
        sure = [one for one in fused(names, whole[:known], cosines) if one.score > least]
        assert fused(names, whole, cosines)[: len(sure)] == sure


def test_what_has_no_vector_counts_by_its_letters() -> None:
    """An artist has none: a whole name is worth 1, and half a name stands among what is meant."""
    artist = Ranked("x", 1.0, "title", kind="artist")
    assert fused([artist], near(0.5), {})[0] == artist
    assert [one.id for one in fused([Ranked("x", 0.25, "title", kind="artist")], near(0.5, 0.3), {})] == [
        "near-0",
        "x",
        "near-1",
    ]


def test_cosines_below_nothing_keep_their_order() -> None:
    """Where the nearest lies on the other side there is nothing to count by."""
    assert [one.id for one in fused([], near(-0.1, -0.3), {})] == ["near-0", "near-1"]
