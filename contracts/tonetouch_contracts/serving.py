"""What was served: each list a listener was given, with all that it was made from. Said by recommend on RECOMMEND."""

from typing import Annotated, ClassVar

import msgspec

from tonetouch_contracts.finding import Filters
from tonetouch_contracts.identity import ListId, TrackId, UserId
from tonetouch_contracts.message import Command, Event, Page
from tonetouch_contracts.personal import CONDUCT


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """What a list starts from: ``track:<id>``, ``artist:<id>``, ``mood:<name>`` or ``genre:<name>``.

    Weights compare within one list; below zero the list keeps away from it.
    """

    about: str
    weight: float = 1.0


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """A number that a list was made with, and what it is called in the way the list is made."""

    name: str
    value: float


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """A track that was looked at for a list, with its score (higher is better); `passed_over` says why it is not in."""

    track_id: TrackId
    score: float
    passed_over: str | None = None


class ListServed(Event, frozen=True, kw_only=True, tag="list.served"):
    """This list was made for the listener and given to whoever asked for it in their name.

    It does not say that they looked at it or heard any of it. `weights` are the numbers it was made with;
    `model` gave the vectors and `version` is that of the way it was made: with the same of all these the same index
    gives the same `tracks`. `excluded` had to stay out (``track:<id>``, ``artist:<id>``), at most 500 of them;
    `candidates` are the best 100 of those looked at. A list that goes on is one event for each page: `continues` is
    the first page's id, `page` counts from 0.
    """

    entity_field: ClassVar[str] = "list_id"

    list_id: ListId
    user_id: UserId
    surface: str
    title: Annotated[str, CONDUCT]
    reason: Annotated[str, CONDUCT]
    at: Annotated[str, CONDUCT]
    model: str
    version: str
    region: str | None
    explicit_allowed: bool
    limit: int
    filters: Filters
    seeds: Annotated[tuple[Seed, ...], CONDUCT]
    weights: tuple[Weight, ...]
    excluded: Annotated[tuple[str, ...], CONDUCT]
    candidates: Annotated[tuple[Weighed, ...], CONDUCT]
    tracks: Annotated[tuple[TrackId, ...], CONDUCT]
    continues: ListId | None = None
    page: int = 0


class ServedView(msgspec.Struct, frozen=True, kw_only=True):
    """A list that was served, as it stands in a list of them."""

    list_id: ListId
    surface: str
    title: str
    reason: str
    at: str
    tracks: tuple[TrackId, ...]


class ListServedLists(Command[Page[ServedView]], frozen=True, kw_only=True, tag="recommend.list-served-lists"):
    """The lists a listener was given, newest first; of one surface or of all."""

    user_id: UserId
    surface: str | None = None
    limit: int = 50
    cursor: str | None = None


class ShowServedList(Command[ListServed], frozen=True, kw_only=True, tag="recommend.show-served-list"):
    """All that is known of one list the listener was given: what it was made from and what was passed over."""

    user_id: UserId
    list_id: ListId


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What the same seeds give now. `differs` says in words why it is not what was served; null where it is."""

    list_id: ListId
    tracks: tuple[TrackId, ...]
    differs: str | None = None


class ReplayServedList(Command[Replayed], frozen=True, kw_only=True, tag="recommend.replay-served-list"):
    """Make a list again from what it was made from, on the index as it is now. Nothing is recorded."""

    user_id: UserId
    list_id: ListId
