"""Vectorize v2: what is written is seen later, and only what is documented is taken."""

import json
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from tests.cloud import Account, Fault
from tests.cloud.callers import http

NDJSON = "application/x-ndjson"


class Client:
    """Speaks to the indexes of an account."""

    def __init__(self, cloud: Account) -> None:
        self._cloud = cloud
        self._url = f"{cloud.api_url}/accounts/{cloud.id}/vectorize/v2/indexes"
        self._token = {"authorization": f"Bearer {cloud.token}"}

    def post(self, path: str, body: Any) -> httpx.Response:
        return http().post(f"{self._url}{path}", json=body, headers=self._token)

    def get(self, path: str, **query: Any) -> Any:
        return http().get(f"{self._url}{path}", params=query, headers=self._token).json()["result"]

    def delete(self, path: str) -> httpx.Response:
        return http().delete(f"{self._url}{path}", headers=self._token)

    def write(self, verb: str, vectors: Iterable[dict[str, Any]], kind: str = NDJSON, **query: str) -> httpx.Response:
        lines = "\n".join(json.dumps(one) for one in vectors)
        headers = self._token | {"content-type": kind}
        return http().post(f"{self._url}/songs/{verb}", content=lines.encode(), headers=headers, params=query)

    def upload(self, file: dict[str, tuple[str, bytes, str]]) -> httpx.Response:
        """A write as a form."""
        return http().post(f"{self._url}/songs/insert", files=file, headers=self._token)

    def put(self, *vectors: dict[str, Any]) -> None:
        """Writes and lets the time pass until it is seen."""
        assert self.write("upsert", vectors).status_code == 200
        self._cloud.clock.advance(1)

    def query(self, **body: Any) -> Any:
        return self.post("/songs/query", {"vector": [1, 0, 0], **body})

    def found(self, **body: Any) -> list[str]:
        return [one["id"] for one in self.query(**body).json()["result"]["matches"]]


def vector(name: str, *values: float, **rest: Any) -> dict[str, Any]:
    return {"id": name, "values": list(values or (1.0, 0.0, 0.0)), **rest}


@pytest.fixture(name="client")
def _client(cloud: Account) -> Client:
    """An index of three dimensions, at a time that stands still."""
    cloud.clock.freeze()
    client = Client(cloud)
    created = client.post("", {"name": "songs", "config": {"dimensions": 3, "metric": "cosine"}})
    assert created.json()["result"]["config"] == {"dimensions": 3, "metric": "cosine"}
    return client


def test_a_write_is_answered_at_once_and_seen_later(cloud: Account, client: Client) -> None:
    """Until then neither query nor count know of it; then its mutation is the one that was seen last."""
    mutation = client.write("insert", [vector("a")]).json()["result"]["mutationId"]
    assert (client.found(), client.get("/songs/info")["vectorCount"]) == ([], 0)
    cloud.clock.advance(0.2)
    assert client.found() == ["a"]
    assert client.get("/songs/info")["processedUpToMutation"] == mutation


def test_insert_keeps_and_upsert_replaces(client: Client) -> None:
    """Values and metadata as a whole: nothing is merged."""
    client.put(vector("a", metadata={"year": 1994, "genre": "jazz"}))
    client.write("insert", [vector("a", metadata={"year": 1})])
    client.put(vector("b"))
    assert client.post("/songs/get_by_ids", {"ids": ["a"]}).json()["result"][0]["metadata"]["year"] == 1994
    client.put(vector("a", 0, 1, 0, metadata={"year": 1995}))
    kept = client.post("/songs/get_by_ids", {"ids": ["a"]}).json()["result"][0]
    assert kept == {"id": "a", "values": [0.0, 1.0, 0.0], "metadata": {"year": 1995}}


def test_deleting_is_a_write_too(cloud: Account, client: Client) -> None:
    """Seen later, like every other."""
    client.put(vector("a"), vector("b"))
    client.post("/songs/delete_by_ids", {"ids": ["a"]})
    assert sorted(client.found()) == ["a", "b"]
    cloud.clock.advance(1)
    assert client.found() == ["b"]


@pytest.mark.parametrize(
    ("metric", "scores"), [("cosine", [1.0, 0.0]), ("euclidean", [1.0, 1.4142]), ("dot-product", [-2.0, 0.0])]
)
def test_each_metric_has_its_own_order(cloud: Account, client: Client, metric: str, scores: list[float]) -> None:
    """Cosine falls with distance, the other two grow."""
    client.delete("/songs")
    assert client.post("", {"name": "songs", "config": {"dimensions": 3, "metric": metric}}).status_code == 409
    client.post("", {"name": "others", "config": {"dimensions": 3, "metric": metric}})
    lines = f"{json.dumps(vector('far', 0, 1, 0))}\n{json.dumps(vector('near', 2, 0, 0))}"
    url = f"{cloud.api_url}/accounts/{cloud.id}/vectorize/v2/indexes/others/insert"
    http().post(url, content=lines, headers={"authorization": f"Bearer {cloud.token}", "content-type": NDJSON})
    cloud.clock.advance(1)
    matches = client.post("/others/query", {"vector": [1, 0, 0]}).json()["result"]["matches"]
    assert [one["id"] for one in matches] == ["near", "far"]
    assert [one["score"] for one in matches] == pytest.approx(scores, abs=1e-4)


def test_a_filter_needs_an_index_that_was_there_before_the_vector(cloud: Account, client: Client) -> None:
    """Older vectors have to be written again."""
    client.put(vector("old", metadata={"region": "DE"}))
    assert client.query(filter={"region": "DE"}).status_code == 400
    client.post("/songs/metadata_index/create", {"propertyName": "region", "indexType": "string"})
    cloud.clock.advance(1)
    client.put(vector("new", metadata={"region": "DE"}))
    assert client.found(filter={"region": "DE"}) == ["new"]
    client.put(vector("old", metadata={"region": "DE"}))
    assert sorted(client.found(filter={"region": "DE"})) == ["new", "old"]
    indexes = client.get("/songs/metadata_index/list")["metadataIndexes"]
    assert indexes == [{"propertyName": "region", "indexType": "string"}]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"year": 1994}, ["b"]),
        ({"year": {"$ne": 1994}}, ["a", "c"]),
        ({"year": {"$in": [1990, 1994]}}, ["a", "b"]),
        ({"year": {"$nin": [1990]}}, ["b", "c"]),
        ({"year": {"$gte": 1990, "$lt": 1994}}, ["a"]),
        ({"year": {"$gt": 1900}, "explicit": False}, ["b"]),
        ({"explicit": True}, ["a"]),
    ],
)
def test_conditions_hold_together(cloud: Account, client: Client, condition: dict[str, Any], found: list[str]) -> None:
    """A property that is not there is equal to nothing."""
    for name, kind in (("year", "number"), ("explicit", "boolean")):
        client.post("/songs/metadata_index/create", {"propertyName": name, "indexType": kind})
    cloud.clock.advance(1)
    client.put(
        vector("a", metadata={"year": 1990, "explicit": True}),
        vector("b", metadata={"year": 1994, "explicit": False}),
        vector("c"),
    )
    assert sorted(client.found(filter=condition)) == found


@pytest.mark.parametrize(
    "condition", [{}, {"region": {"$or": ["a"]}}, {"region": {"$in": "a"}}, {"region": "a" * 2048}]
)
def test_a_filter_that_is_not_documented(cloud: Account, client: Client, condition: dict[str, Any]) -> None:
    """Empty, an unknown operator, a wrong operand, too long."""
    client.post("/songs/metadata_index/create", {"propertyName": "region", "indexType": "string"})
    cloud.clock.advance(1)
    assert client.query(filter=condition).status_code == 400


def test_a_namespace_is_looked_at_first(client: Client) -> None:
    """It does not make ids apart."""
    client.put(vector("a", namespace="x"), vector("b"))
    client.put(vector("a", namespace="y"))
    assert (client.found(namespace="x"), client.found(namespace="y")) == ([], ["a"])


def test_metadata_is_shown_as_asked(cloud: Account, client: Client) -> None:
    """None, what is indexed, or all; values only when asked for."""
    client.post("/songs/metadata_index/create", {"propertyName": "year", "indexType": "number"})
    cloud.clock.advance(1)
    client.put(vector("a", metadata={"year": 1994, "title": "Blue"}))
    shown = [client.query(returnMetadata=how).json()["result"]["matches"][0] for how in ("none", "indexed", "all")]
    assert [one.get("metadata") for one in shown] == [None, {"year": 1994}, {"year": 1994, "title": "Blue"}]
    assert client.query(returnValues=True).json()["result"]["matches"][0]["values"] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"topK": 100}, 200),
        ({"topK": 101}, 400),
        ({"topK": 51, "returnValues": True}, 400),
        ({"topK": 51, "returnMetadata": "all"}, 400),
        ({"topK": 51, "returnMetadata": "indexed"}, 200),
        ({"topK": 0}, 400),
        ({"vector": [1, 0]}, 400),
        ({"top_k": 5}, 400),
        ({"returnMetadata": True}, 400),
        ({"vectorId": "a"}, 400),
    ],
)
def test_a_query_has_bounds(client: Client, body: dict[str, Any], status: int) -> None:
    """100 at most, 50 with values or all metadata, and no field nobody knows."""
    assert client.query(**body).status_code == status


@pytest.mark.parametrize(
    "line",
    [
        {"id": "a", "values": [1, 0]},
        {"id": "a" * 65, "values": [1, 0, 0]},
        {"id": "", "values": [1, 0, 0]},
        {"id": "a", "values": [1, 0, "0"]},
        {"id": "a", "values": [1, 0, 0], "meta": {}},
        {"id": "a", "values": [1, 0, 0], "metadata": {"a.b": 1}},
        {"id": "a", "values": [1, 0, 0], "metadata": {"$a": 1}},
        {"id": "a", "values": [1, 0, 0], "metadata": {"a": None}},
        {"id": "a", "values": [1, 0, 0], "metadata": {"a": [1]}},
        {"id": "a", "values": [1, 0, 0], "metadata": {"a": "x" * 10_241}},
        {"id": "a", "values": [1, 0, 0], "namespace": "x" * 65},
    ],
)
def test_a_line_that_cannot_be_read_refuses_the_upload_or_is_left_out(client: Client, line: dict[str, Any]) -> None:
    """As the query says; without a word in it the upload is refused."""
    upload = [vector("good"), line]
    assert client.write("upsert", upload).status_code == 400
    assert client.write("upsert", upload, **{"unparsable-behavior": "discard"}).status_code == 200
    client.put(vector("other"))
    assert sorted(client.found()) == ["good", "other"]


def test_only_ndjson_is_taken(client: Client) -> None:
    """As the body, or as a file in a form; JSON is refused, so is more than 5,000 vectors."""
    assert client.write("insert", [vector("a")], kind="application/json").status_code == 400
    assert client.write("insert", (vector(f"{n}") for n in range(5001))).status_code == 413
    assert client.write("insert", []).status_code == 400
    file = {"vectors": ("songs.ndjson", json.dumps(vector("a")).encode(), NDJSON)}
    assert client.upload(file).status_code == 200


def test_ids_are_listed_in_pages(client: Client) -> None:
    """Until nothing is left."""
    client.put(*(vector(f"{n}") for n in range(5)))
    first = client.get("/songs/list", count=3)
    second = client.get("/songs/list", count=3, cursor=first["nextCursor"])
    assert [one["id"] for one in first["vectors"] + second["vectors"]] == ["0", "1", "2", "3", "4"]
    assert (first["isTruncated"], second["isTruncated"], first["totalCount"]) == (True, False, 5)


def test_an_index_has_bounds(client: Client) -> None:
    """1,536 dimensions, three metrics, a name; it has to be there."""
    for config in ({"dimensions": 1537, "metric": "cosine"}, {"dimensions": 3, "metric": "manhattan"}, {}):
        assert client.post("", {"name": "other", "config": config}).status_code == 400
    assert client.post("/nobody/query", {"vector": [1]}).status_code == 404
    assert [one["name"] for one in client.get("")] == ["songs"]


def test_a_wrong_token(cloud: Account) -> None:
    """401 and 10000."""
    url = f"{cloud.api_url}/accounts/{cloud.id}/vectorize/v2/indexes"
    refused = http().get(url, headers={"authorization": "Bearer cf-wrong"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (401, 10000)


@pytest.mark.parametrize(("verb", "most"), [("get_by_ids", 20), ("delete_by_ids", 100)])
def test_ids_are_few_at_a_time(client: Client, verb: str, most: int) -> None:
    """One more than the most is refused with 40007."""
    ids = [f"{number}" for number in range(most + 1)]
    assert client.post(f"/songs/{verb}", {"ids": ids[1:]}).status_code == 200
    refused = client.post(f"/songs/{verb}", {"ids": ids})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, 40007)


def test_of_a_long_text_the_index_shows_its_beginning(cloud: Account, client: Client) -> None:
    """64 bytes, whole characters; all of it with all metadata."""
    client.post("/songs/metadata_index/create", {"propertyName": "title", "indexType": "string"})
    cloud.clock.advance(1)
    client.put(vector("a", metadata={"title": "x" + "ü" * 40}))
    shown = [client.query(returnMetadata=how).json()["result"]["matches"][0] for how in ("indexed", "all")]
    assert [one["metadata"]["title"] for one in shown] == ["x" + "ü" * 31, "x" + "ü" * 40]


@pytest.mark.parametrize("operator", [{"$ne": 1994}, {"$nin": [1994]}])
def test_a_test_says_whether_what_is_absent_is_unequal(
    cloud: Account, client: Client, operator: dict[str, Any]
) -> None:
    """Nobody documents it."""
    client.post("/songs/metadata_index/create", {"propertyName": "year", "indexType": "number"})
    cloud.clock.advance(1)
    client.put(vector("dated", metadata={"year": 1990}), vector("undated"))
    assert sorted(client.found(filter={"year": operator})) == ["dated", "undated"]
    cloud.indexes.absent_is_unequal = False
    assert client.found(filter={"year": operator}) == ["dated"]


def test_requests_fail_as_planned_and_are_counted(cloud: Account, client: Client) -> None:
    """Limited, refused with a time to wait, answered with something else, and done although the answer is lost."""
    cloud.fail("vectorize", Fault(status=429, code=971, retry_after=7))
    refused = client.query()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    cloud.fail("vectorize", Fault(html=True, status=502))
    assert client.query().text.startswith("<!doctype html>")
    cloud.fail("vectorize", Fault(abrupt=True))
    with pytest.raises(httpx.RemoteProtocolError):
        client.write("upsert", [vector("a")])
    cloud.clock.advance(1)
    assert client.found() == ["a"]
    assert (cloud.indexes.requests["query"], cloud.indexes.requests["upsert"]) == (3, 1)
    cloud.limit("vectorize", 1)
    assert [client.query().status_code for _ in range(2)] == [200, 429]
