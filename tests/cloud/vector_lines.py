"""The body of a write to Vectorize: one vector a line."""

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import msgspec
import numpy as np
from jsonschema import Draft202012Validator

from tests.cloud.asking import encoded, objection
from tests.cloud.indexes import Index, Vector, no
from tests.cloud.schemas import STRING, closed

VECTORS_AT_MOST = 5000
UPLOAD_BYTES = 100_000_000
ID_BYTES = 64
METADATA_BYTES = 10 * 1024
_LINE = Draft202012Validator(
    closed(
        {
            "id": {**STRING, "minLength": 1},
            "values": {"type": "array"},
            "namespace": STRING,
            "metadata": {"type": "object"},
        },
        "id",
        "values",
    )
)


def vectors_in(index: Index, content_type: str, raw: bytes, *, discard: bool) -> list[Vector]:
    """The vectors of an upload. Raises Refused at the first that cannot be read, or leaves such lines out."""
    if len(raw) > UPLOAD_BYTES:
        raise no("an upload holds 100 MB at most", 413)
    lines = [line for line in _ndjson(content_type, raw).splitlines() if line.strip()]
    if not lines:
        raise no("no vectors")
    if len(lines) > VECTORS_AT_MOST:
        raise no("an upload holds 5,000 vectors at most", 413)
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(_vector(index, line))
        except ValueError as error:
            if not discard:
                raise no(f"line {number}: {error}") from error
    return found


def _ndjson(content_type: str, raw: bytes) -> bytes:
    kind = content_type.split(";")[0].strip().lower()
    if kind == "application/x-ndjson":
        return raw
    if kind == "multipart/form-data":
        message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + raw)
        for part in message.iter_parts():
            if part.get_param("name", header="content-disposition") == "vectors":
                content = part.get_payload(decode=True)
                return content if isinstance(content, bytes) else b""
        raise no("the form has no field `vectors`")
    raise no("Content-Type must be application/x-ndjson, or multipart/form-data with a file `vectors`")


def _vector(index: Index, line: bytes) -> Vector:
    """Raises ValueError."""
    body = msgspec.json.decode(line)
    wrong = objection(_LINE, body)
    if wrong:
        raise ValueError(wrong)
    values = values_of(index, body["values"])
    for name in ("id", "namespace"):
        if len(body.get(name, "").encode()) > ID_BYTES:
            raise ValueError(f"{name}: 64 bytes at most")
    metadata = body.get("metadata", {})
    _check_metadata(metadata)
    return Vector(id=body["id"], values=values, namespace=body.get("namespace"), metadata=metadata)


def values_of(index: Index, given: Any) -> Any:
    """The numbers as float32. Raises ValueError where they are not as many as the index has dimensions."""
    if not isinstance(given, list) or len(given) != index.dimensions:
        raise ValueError(f"values: {index.dimensions} numbers, not {len(given) if isinstance(given, list) else given}")
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in given):
        raise ValueError("values: numbers only")
    return np.asarray(given, dtype=np.float32)


def _check_metadata(metadata: dict[str, Any], depth: int = 0) -> None:
    if len(encoded(metadata)) > METADATA_BYTES:
        raise ValueError("metadata: 10 KiB at most")
    for name, value in metadata.items():
        if not name or "." in name or '"' in name or name.startswith("$"):
            raise ValueError(f"metadata: {name!r} is no name of a property")
        if isinstance(value, dict) and depth == 0:
            _check_metadata(value, 1)
        elif not isinstance(value, str | int | float | bool) and not _is_strings(value):
            raise ValueError(f"metadata: {name}: a string, number, boolean or list of strings")


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
