"""A recipe: all that a list is made from beside the index, and what was made of it. Pure.

The same recipe on the same index makes the same list: that is what makes a list that was served explainable.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tonetouch_contracts.finding import Filters, MixTrack
from tonetouch_contracts.serving import Seed, Weighed
from tonetouch_recommend.indexes.index import as_tag, cut, on_offer
from tonetouch_recommend.vectors.collection import Between, Is, NoneOf, Term

MOST_EXCLUDED: Final = 500
"""Tracks and artists a recipe keeps out, together: what is recorded of a list stays as small as that."""
MOST_CANDIDATES: Final = 100


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is made from. `weights` are the numbers of the way it is made, by name.

    `excluded` are tracks that stay out, `without_artists` artists; `before` are the tracks of the earlier pages of a
    list that goes on, in their order. `as_of` is the moment whose taste counts; null: that of now.
    """

    surface: str
    user_id: str
    region: str | None
    explicit_allowed: bool
    limit: int
    filters: Filters = Filters()
    seeds: tuple[Seed, ...] = ()
    weights: Mapping[str, float] = {}
    excluded: tuple[str, ...] = ()
    without_artists: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    as_of: str | None = None

    @property
    def where(self) -> tuple[Term, ...]:
        """What a track has to pass."""
        without = (NoneOf("artist", self.without_artists),) if self.without_artists else ()
        return (*on_offer(self.region, self.explicit_allowed), *narrowed(self.filters), *without)

    @property
    def out(self) -> set[str]:
        """The tracks that stay out."""
        return {*self.excluded, *self.before}


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A list with its words, and the tracks that were looked at for it, best first."""

    name: str
    reason: str
    tracks: tuple[MixTrack, ...] = ()
    candidates: Sequence[Weighed] = ()


def narrowed(filters: Filters) -> tuple[Term, ...]:
    """The filters of a listener as conditions on the tracks' index."""
    terms: list[Term] = []
    if filters.genre is not None:
        terms.append(of_genre(filters.genre))
    if filters.mood is not None:
        terms.append(of_mood(filters.mood))
    if filters.language is not None:
        terms.append(Is("language", cut(filters.language)))
    for field in ("year", "energy", "bpm"):
        low, high = getattr(filters, f"{field}_from"), getattr(filters, f"{field}_to")
        if low is not None or high is not None:
            terms.append(Between(field, low, high))
    return tuple(terms)


def of_mood(mood: str) -> Term:
    """Tracks of a mood, however it is capitalised."""
    return Is("moods", as_tag(mood))


def of_genre(genre: str) -> Term:
    """Tracks of a genre, however it is capitalised."""
    return Is("genres", as_tag(genre))
