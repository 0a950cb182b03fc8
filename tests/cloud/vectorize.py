"""Vectorize v2 over REST."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from jsonschema import Draft202012Validator
from starlette.responses import Response

from tests.cloud.accounts import accounts_of
from tests.cloud.arriving import enveloped
from tests.cloud.asking import objection, parsed
from tests.cloud.faults import Refused
from tests.cloud.indexes import METADATA_INDEXES_AT_MOST, REFUSED, TOO_MANY_IDS, Index, Indexes, Vector, no
from tests.cloud.openai import bearer
from tests.cloud.schemas import BOOLEAN, OBJECT, STRING, between, closed, either, listed
from tests.cloud.vector_faults import Faulty
from tests.cloud.vector_filters import checked_filter, cut, fits
from tests.cloud.vector_lines import values_of, vectors_in

router = APIRouter(prefix="/client/v4/accounts/{account_id}/vectorize/v2/indexes", route_class=Faulty)

TOP_K, TOP_K_WITH_VALUES = 100, 50
PAGE = 1000
READ_AT_MOST, DELETED_AT_MOST = 20, 100
PRESETS = {
    "@cf/baai/bge-small-en-v1.5": 384,
    "@cf/baai/bge-base-en-v1.5": 768,
    "@cf/baai/bge-large-en-v1.5": 1024,
    "openai/text-embedding-ada-002": 1536,
    "cohere/embed-multilingual-v2.0": 768,
}
_NAME = {**STRING, "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"}
_CONFIG = either(
    closed(
        {"dimensions": between(1, 1536, "integer"), "metric": {"enum": ["cosine", "euclidean", "dot-product"]}},
        "dimensions",
        "metric",
    ),
    closed({"preset": {"enum": list(PRESETS)}}, "preset"),
)
_CREATE = Draft202012Validator(closed({"name": _NAME, "description": STRING, "config": _CONFIG}, "name", "config"))
_QUERY = Draft202012Validator(
    closed(
        {
            "vector": {"type": "array"},
            "vectorId": STRING,
            "topK": {"type": "integer", "minimum": 1},
            "filter": OBJECT,
            "namespace": STRING,
            "returnValues": BOOLEAN,
            "returnMetadata": {"enum": ["none", "indexed", "all"]},
        }
    )
)
_IDS = Draft202012Validator(closed({"ids": listed(STRING, minItems=1)}, "ids"))
_PROPERTY = Draft202012Validator(
    closed(
        {"propertyName": {**STRING, "minLength": 1}, "indexType": {"enum": ["string", "number", "boolean"]}},
        "propertyName",
        "indexType",
    )
)
_PROPERTY_NAME = Draft202012Validator(closed({"propertyName": STRING}, "propertyName"))


@router.post("")
@router.post("/")
async def create(request: Request, account_id: str) -> Response:
    body = await _body(request, _CREATE)
    config = body["config"]
    dimensions = PRESETS[config["preset"]] if "preset" in config else config["dimensions"]
    index = _indexes(request, account_id).create(
        body["name"], dimensions, config.get("metric", "cosine"), body.get("description", "")
    )
    return enveloped(_told(index))


@router.get("")
@router.get("/")
async def every(request: Request, account_id: str) -> Response:
    return enveloped([_told(index) for index in _indexes(request, account_id).all()])


@router.get("/{name}")
async def one(request: Request, account_id: str, name: str) -> Response:
    return enveloped(_told(_indexes(request, account_id).named(name)))


@router.delete("/{name}")
async def delete(request: Request, account_id: str, name: str) -> Response:
    _indexes(request, account_id).delete(name)
    return enveloped(None)


@router.post("/{name}/insert")
async def insert(request: Request, account_id: str, name: str) -> Response:
    """An id that is there already keeps its vector."""
    return await _put(request, account_id, name, replace=False)


@router.post("/{name}/upsert")
async def upsert(request: Request, account_id: str, name: str) -> Response:
    """The last one wins, with its metadata."""
    return await _put(request, account_id, name, replace=True)


@router.post("/{name}/query")
async def query(request: Request, account_id: str, name: str) -> Response:
    """Namespace first, then filter, then the nearest."""
    indexes = _indexes(request, account_id)
    index = indexes.named(name)
    body = await _body(request, _QUERY)
    top = body.get("topK", 5)
    shown = body.get("returnMetadata", "none")
    most = TOP_K_WITH_VALUES if body.get("returnValues") or shown == "all" else TOP_K
    if top > most:
        raise no(f"topK: {most} at most")
    conditions = checked_filter(index, body["filter"]) if "filter" in body else {}
    vector = _query_vector(index, body)
    space = body.get("namespace")
    found = [
        one
        for one in index.vectors.values()
        if space in (None, one.namespace) and fits(index, one, conditions, absent_is_unequal=indexes.absent_is_unequal)
    ]
    matches = [
        {"id": one.id, "score": score, **_beside(one, shown, bool(body.get("returnValues")))}
        for score, one in index.scores(vector, found)[:top]
    ]
    return enveloped({"count": len(matches), "matches": matches})


@router.post("/{name}/get_by_ids")
async def get_by_ids(request: Request, account_id: str, name: str) -> Response:
    index = _indexes(request, account_id).named(name)
    ids = await _ids(request, READ_AT_MOST)
    found = [index.vectors[one] for one in ids if one in index.vectors]
    return enveloped([{"id": one.id, **_beside(one, "all", True)} for one in found])


@router.post("/{name}/delete_by_ids")
async def delete_by_ids(request: Request, account_id: str, name: str) -> Response:
    indexes = _indexes(request, account_id)
    index = indexes.named(name)
    ids = await _ids(request, DELETED_AT_MOST)
    return enveloped({"mutationId": indexes.write(index, lambda: index.remove(ids))})


@router.get("/{name}/info")
async def info(request: Request, account_id: str, name: str) -> Response:
    """Only the latest mutation that is seen is told."""
    index = _indexes(request, account_id).named(name)
    return enveloped(
        {
            "dimensions": index.dimensions,
            "vectorCount": len(index.vectors),
            "processedUpToDatetime": datetime.fromtimestamp(index.seen_at, UTC).isoformat() if index.seen_at else None,
            "processedUpToMutation": index.seen_mutation,
        }
    )


@router.get("/{name}/list")
async def listing(request: Request, account_id: str, name: str, count: int = 100, cursor: str = "0") -> Response:
    """Ids, in pages."""
    index = _indexes(request, account_id).named(name)
    if not 1 <= count <= PAGE or not cursor.isdecimal():
        raise no("count: from 1 to 1000; cursor: as it was given")
    ids = sorted(index.vectors)
    end = int(cursor) + count
    page: dict[str, Any] = {
        "count": len(ids[int(cursor) : end]),
        "totalCount": len(ids),
        "isTruncated": end < len(ids),
        "nextCursor": str(end) if end < len(ids) else None,
        "cursorExpirationTimestamp": None,
        "vectors": [{"id": one} for one in ids[int(cursor) : end]],
    }
    return enveloped(page)


@router.post("/{name}/metadata_index/create")
async def create_metadata_index(request: Request, account_id: str, name: str) -> Response:
    """For vectors that are written after it is there."""
    indexes = _indexes(request, account_id)
    index = indexes.named(name)
    body = await _body(request, _PROPERTY)
    if len(index.properties) >= METADATA_INDEXES_AT_MOST:
        raise no("an index has 10 metadata indexes at most")
    change = {body["propertyName"]: body["indexType"]}
    return enveloped({"mutationId": indexes.write(index, lambda: index.properties.update(change))})


@router.get("/{name}/metadata_index/list")
async def list_metadata_indexes(request: Request, account_id: str, name: str) -> Response:
    properties = _indexes(request, account_id).named(name).properties
    found = [{"propertyName": name, "indexType": kind} for name, kind in properties.items()]
    return enveloped({"metadataIndexes": found})


@router.post("/{name}/metadata_index/delete")
async def delete_metadata_index(request: Request, account_id: str, name: str) -> Response:
    indexes = _indexes(request, account_id)
    index = indexes.named(name)
    gone = (await _body(request, _PROPERTY_NAME))["propertyName"]

    def change() -> None:
        index.properties.pop(gone, None)

    return enveloped({"mutationId": indexes.write(index, change)})


def _indexes(request: Request, account_id: str) -> Indexes:
    account = accounts_of(request).named(account_id)
    if account is None or bearer(request.headers) != account.token:
        raise Refused(401, 10000, "Authentication error")
    return account.indexes


async def _body(request: Request, validator: Draft202012Validator) -> dict[str, Any]:
    body = parsed(await request.body(), 400, REFUSED)
    wrong = objection(validator, body)
    if wrong:
        raise no(wrong)
    return body


async def _ids(request: Request, most: int) -> list[str]:
    ids: list[str] = (await _body(request, _IDS))["ids"]
    if len(ids) > most:
        raise Refused(400, TOO_MANY_IDS, f"too many ids in payload; max id count is {most}, got {len(ids)}")
    return ids


async def _put(request: Request, account_id: str, name: str, *, replace: bool) -> Response:
    indexes = _indexes(request, account_id)
    index = indexes.named(name)
    behaviour = request.query_params.get("unparsable-behavior", "error")
    if behaviour not in ("error", "discard"):
        raise no("unparsable-behavior: error or discard")
    kind = request.headers.get("content-type", "")
    vectors = vectors_in(index, kind, await request.body(), discard=behaviour == "discard")
    return enveloped({"mutationId": indexes.write(index, lambda: index.put(vectors, replace=replace))})


def _query_vector(index: Index, body: dict[str, Any]) -> Any:
    if ("vector" in body) == ("vectorId" in body):
        raise no("either vector or vectorId")
    if "vectorId" in body:
        if body["vectorId"] not in index.vectors:
            raise no(f"no vector {body['vectorId']}", 404)
        return index.vectors[body["vectorId"]].values
    try:
        return values_of(index, body["vector"])
    except ValueError as error:
        raise no(f"vector: {error}") from error


def _beside(vector: Vector, shown: str, with_values: bool) -> dict[str, Any]:
    """What of a vector is shown beside its id."""
    told: dict[str, Any] = {"namespace": vector.namespace} if vector.namespace is not None else {}
    if with_values:
        told["values"] = vector.values.astype(float).tolist()
    if shown != "none":
        told["metadata"] = {
            name: value if shown == "all" else cut(value)
            for name, value in vector.metadata.items()
            if shown == "all" or name in vector.indexed
        }
    return told


def _told(index: Index) -> dict[str, Any]:
    return {
        "name": index.name,
        "description": index.description,
        "config": {"dimensions": index.dimensions, "metric": index.metric},
        "created_on": index.created,
        "modified_on": index.created,
    }
