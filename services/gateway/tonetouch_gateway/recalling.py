"""The lists a listener was given, and why they were as they were.

Asks `ListServedLists`, `ShowServedList` and `ReplayServedList`.
"""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from tonetouch_contracts.identity import ListId
from tonetouch_contracts.serving import ListServedLists, ReplayServedList, ShowServedList
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.identifying import Identified
from tonetouch_gateway.listing import ID_PATTERN, Cursor, Limit, Listing
from tonetouch_gateway.problems import documented

router = APIRouter(tags=["recommending"])

ListInPath = Annotated[ListId, Path(pattern=ID_PATTERN, description="The id of a list, as its answer gave it.")]


class ServedList(BaseModel):
    """A list that was served."""

    list_id: str
    surface: str = Field(description="What was asked for: `made-for-you`, `radio`, `path` and so on.")
    title: str
    reason: str
    at: str = Field(description="RFC 3339, UTC.")
    tracks: list[str] = Field(description="The ids of its tracks, in their order.")


class ServedSeed(BaseModel):
    """What a list started from."""

    about: str = Field(description="`track:<id>`, `artist:<id>`, `mood:<name>` or `genre:<name>`.")
    weight: float = Field(description="Compares within the list; below zero the list kept away from it.")


class Candidate(BaseModel):
    """A track that was looked at."""

    track_id: str
    score: float
    passed_over: str | None = Field(description="Why it is not in the list, in words; null where it is.")


class ExplainedList(ServedList):
    """A list with all it was made from."""

    model: str = Field(description="The model of the vectors.")
    version: str = Field(description="Of the way it was made.")
    region: str | None
    explicit_allowed: bool
    limit: int
    filters: dict[str, Any] = Field(description="What the listener narrowed it down to.")
    seeds: list[ServedSeed]
    weights: dict[str, float] = Field(description="The numbers it was made with.")
    excluded: list[str] = Field(description="What had to stay out: `track:<id>`, `artist:<id>`.")
    candidates: list[Candidate] = Field(description="The best of the tracks that were looked at.")
    continues: str | None = Field(description="The first page of a list that goes on.")
    page: int


class ReplayedList(BaseModel):
    """What the same seeds give now."""

    list_id: str
    tracks: list[str]
    differs: str | None = Field(description="Why it is not what was served, in words; null where it is.")


@router.get("/me/lists")
async def list_served_lists(
    ask: Ask,
    user: Identified,
    surface: Annotated[str | None, Query(pattern=ID_PATTERN, description="Only lists of this kind.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[ServedList]:
    """The lists the listener was given, the newest first."""
    page = await ask(ListServedLists(user_id=user.id, surface=surface, limit=limit, cursor=cursor))
    lists = [ServedList.model_validate(msgspec.to_builtins(view)) for view in page.items]
    return Listing(items=lists, next_cursor=page.next_cursor)


@router.get("/me/lists/{list_id}", responses=documented("not_found"))
async def show_served_list(list_id: ListInPath, ask: Ask, user: Identified) -> ExplainedList:
    """Why a list is as it is: its seeds, its filters, and what was passed over."""
    served = await ask(ShowServedList(user_id=user.id, list_id=list_id))
    weights = {weight.name: weight.value for weight in served.weights}
    return ExplainedList.model_validate({**msgspec.to_builtins(served), "weights": weights})


@router.get("/me/lists/{list_id}/replay", responses=documented("not_found", "conflict"))
async def replay_served_list(list_id: ListInPath, ask: Ask, user: Identified) -> ReplayedList:
    """The list made again from what it was made from, on what there is now."""
    replayed = await ask(ReplayServedList(user_id=user.id, list_id=list_id))
    return ReplayedList.model_validate(msgspec.to_builtins(replayed))
