"""Lists: how they are asked for, and how they look. And what an id of a track looks like in a path."""

from typing import Annotated, Generic, TypeVar

from fastapi import Path, Query
from pydantic import BaseModel, Field

from tonetouch_contracts.identity import TrackId

T = TypeVar("T")

MOST = 200
ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"

Limit = Annotated[int, Query(ge=1, le=MOST, description="The most items of one page.")]
Cursor = Annotated[
    str | None, Query(max_length=512, description="`next_cursor` of the page before; none for the first page.")
]
TrackInPath = Annotated[TrackId, Path(pattern=ID_PATTERN, description="The id of a track, as its upload gave it.")]


class Listing(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="Asks for the next page; null on the last one.")
