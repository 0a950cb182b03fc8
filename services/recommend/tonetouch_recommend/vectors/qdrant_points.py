"""Points as both forms of Qdrant keep them, in the process and on a server: their ids, payloads and cursors. Pure."""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from .collection import Payload, Point, UnfitQueryError
from .edge_ids import edge_id, point_id

ID_FIELD: Final = "_id"  # of points whose id in Qdrant does not tell it


def kept(point: Point) -> tuple[uuid.UUID, dict[str, Any]]:
    """The id of a point in Qdrant, and the payload kept there."""
    own = edge_id(point.id)
    payload: dict[str, Any] = {**point.payload}
    if point_id(own) is None:
        payload[ID_FIELD] = point.id
    return own, payload


def id_in(own: uuid.UUID | str | int, payload: Mapping[str, Any] | None) -> str:
    """The id of the point kept so. Raises KeyError where neither its id in Qdrant nor the payload tells it."""
    return told(own) or str((payload or {})[ID_FIELD])


def told(own: uuid.UUID | str | int) -> str | None:
    """The id of the point, or None where its id in Qdrant does not tell it."""
    return point_id(own if isinstance(own, uuid.UUID) else uuid.UUID(str(own)))


def payload_in(payload: Mapping[str, Any] | None) -> Payload:
    """The payload of the point kept so."""
    return {field: value for field, value in payload.items() if field != ID_FIELD} if payload else {}


def cosine(score: float) -> float:
    """A score as a cosine: float32 arithmetic passes one by a few millionths."""
    return min(1.0, max(-1.0, score))


def parsed(cursor: str | None) -> uuid.UUID | None:
    """Where a page begins. Raises `UnfitQueryError`."""
    try:
        return None if cursor is None else uuid.UUID(cursor)
    except ValueError:
        raise UnfitQueryError(f"{cursor!r} is not a cursor of this collection") from None
