"""A collection of vectors with payload, its points and hits, and filters as data. Nothing here does I/O.

The bounds are the tightest of the engines this is meant for (Qdrant, Cloudflare Vectorize), so that what one engine
accepts all accept: ids and keywords of at most 64 bytes, ten filterable fields, conditions joined by AND only.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]
FieldType: TypeAlias = Literal["keyword", "integer", "float", "keywords"]
PayloadValue: TypeAlias = str | int | float | list[str]
Payload: TypeAlias = Mapping[str, PayloadValue]

MOST_FIELDS = 10
MOST_BYTES = 64
LARGEST_INTEGER = 2**53  # beyond it an engine that keeps numbers as float64 would confuse neighbours
LARGEST_LIMIT = 100
UNIT_WITHIN = 1e-6
"""How far from one the square of a unit vector may be: float32 keeps seven digits."""
SQUARED_SAFELY = (1e-6, 1e6)
"""Between these the square of a length loses no digits in float32."""


class VectorsError(Exception):
    """Anything the vector engines refuse or cannot do.

    VectorsError
    +-- UnfitPointError      the id, vector or payload does not belong into this collection
    +-- UnfitQueryError      the filter, limit or cursor cannot be answered
    +-- OtherModelError      what is kept was made by another model, or has another dimension or other fields
    +-- NotOpenError         the collection was not opened, or the engine is closed
    +-- HeldElsewhereError   another process has the folder open
    +-- UnreachableError     a server or service gave no usable answer in time; nothing is known of what it holds
    """


class UnfitPointError(VectorsError):
    """The id, vector or payload does not belong into this collection."""


class UnfitQueryError(VectorsError):
    """The filter, limit or cursor cannot be answered."""


class OtherModelError(VectorsError):
    """What is kept was made by another model, or has another dimension or other fields."""


class NotOpenError(VectorsError):
    """The collection was not opened, or the engine is closed."""


class HeldElsewhereError(VectorsError):
    """Another process has the folder open; one process at a time may."""


class UnreachableError(VectorsError):
    """A server or service gave no usable answer in time; nothing is known of what it holds. Trying later may help."""


class Is(msgspec.Struct, frozen=True):
    """The field equals the value; of a `keywords` field: one of its entries does. Flags are the integers 0 and 1."""

    field: str
    value: str | int


class AnyOf(msgspec.Struct, frozen=True):
    """The field equals one of the values. Without values it matches nothing."""

    field: str
    values: tuple[str, ...] | tuple[int, ...]


class NoneOf(msgspec.Struct, frozen=True):
    """The field equals none of the values. A point without the field passes, unlike with the other conditions."""

    field: str
    values: tuple[str, ...] | tuple[int, ...]


class Between(msgspec.Struct, frozen=True):
    """`low <= field <= high` for a number; None leaves that end open."""

    field: str
    low: float | None = None
    high: float | None = None


class All(msgspec.Struct, frozen=True):
    """Every term holds, which is also what a sequence of terms means; for naming a condition that has several parts."""

    terms: tuple["Term", ...]


Condition: TypeAlias = Is | AnyOf | NoneOf | Between
Term: TypeAlias = Condition | All


class Point(msgspec.Struct, frozen=True, eq=False):
    """A vector under an id: a UUID, or `uuid:passage` where one entity has several."""

    id: str
    vector: Vector
    payload: Payload = {}


class Hit(msgspec.Struct, frozen=True, eq=False):
    """A point near the one asked for. `score` is the cosine: -1 to 1, higher is nearer; `vector` only if asked for."""

    id: str
    score: float
    payload: Payload
    vector: Vector | None = None


class Page(msgspec.Struct, frozen=True, eq=False):
    """Some points in the engine's own order, and the cursor of the next page (None at the end)."""

    points: list[Point]
    next_cursor: str | None


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine holds of a collection. About `indexed` of the points are found by index, the rest one by one."""

    points: int
    indexed: int
    dimension: int
    model: str


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """Vectors of one model under cosine distance, and the payload fields that may be filtered on.

    A payload holds declared fields only; any may be absent. A stored collection may gain fields, nothing else changes.
    """

    name: str
    dimension: int
    model: str
    fields: Mapping[str, FieldType] = {}

    def __post_init__(self) -> None:
        if not (self.name.isascii() and self.name.replace("-", "").isalnum() and len(self.name) <= MOST_BYTES):
            raise ValueError(f"a collection is named with ASCII letters, digits and hyphens, not {self.name!r}")
        if not 1 <= self.dimension <= 1536:
            raise ValueError(f"{self.name}: a dimension is between 1 and 1536, not {self.dimension}")
        if len(self.fields) > MOST_FIELDS:
            raise ValueError(f"{self.name}: at most {MOST_FIELDS} fields can be filtered on, not {len(self.fields)}")
        if odd := [field for field in self.fields if not (field.isidentifier() and not field.startswith("_"))]:
            raise ValueError(f"{self.name}: a field is named like a public variable, not {odd[0]!r}")

    def check_same(self, asked: "Collection") -> None:
        """Raise `OtherModelError` unless `asked` is this collection, perhaps with more fields."""
        if (self.model, self.dimension) != (asked.model, asked.dimension):
            raise OtherModelError(
                f"{self.name} holds vectors of {self.model} ({self.dimension} numbers), not of {asked.model} "
                f"({asked.dimension}): distances between them mean nothing. Drop and rebuild it, or use that model."
            )
        if changed := [field for field, kind in self.fields.items() if asked.fields.get(field) != kind]:
            raise OtherModelError(
                f"{self.name}.{changed[0]} is kept as {self.fields[changed[0]]}; fields are only added"
            )

    def check_open(self, asked: "Collection") -> None:
        """Raise `OtherModelError` or `NotOpenError` unless `asked` is exactly this collection, which is open."""
        if self != asked:
            self.check_same(asked)
            raise NotOpenError(f"{self.name} is open without its new fields; open it again with them first")

    def unit(self, vector: Vector) -> Vector:
        """The vector scaled to length one, float32, shape (dimension,).

        Raises `UnfitPointError` for another shape, NaN or infinity, and for the zero vector, which has no direction.
        """
        squared = _squared(vector, self.dimension)
        if abs(squared - 1.0) < UNIT_WITHIN:
            return vector
        if SQUARED_SAFELY[0] < squared < SQUARED_SAFELY[1]:
            return np.asarray(vector / np.float32(math.sqrt(squared)), dtype=np.float32)
        wide = np.asarray(vector, dtype=np.float64)
        if wide.shape != (self.dimension,):
            raise UnfitPointError(f"{self.name} holds vectors of {self.dimension} numbers, not of shape {wide.shape}")
        largest = float(np.abs(wide).max())
        if not math.isfinite(largest):
            raise UnfitPointError(f"{self.name}: a vector with NaN or infinity points nowhere")
        if largest == 0.0:
            raise UnfitPointError(f"{self.name}: a vector of zeros points nowhere")
        scaled = wide / largest  # first, so that squares of very large or very small numbers stay in range
        return np.asarray(scaled / np.linalg.norm(scaled), dtype=np.float32)

    def admit(self, point: Point) -> Point:
        """The point as it is kept: unit vector, plain payload. Raises `UnfitPointError` when it does not fit."""
        check_id(point.id)
        payload = {field: self._fit(field, value) for field, value in point.payload.items()}
        return Point(point.id, self.unit(point.vector), payload)

    def conditions(self, where: Iterable[Term]) -> list[Condition]:
        """The terms as a flat list joined by AND. Raises `UnfitQueryError` for one this collection cannot answer."""
        flat: list[Condition] = []
        for term in where:
            if isinstance(term, All):
                flat.extend(self.conditions(term.terms))
            else:
                self._check_condition(term)
                flat.append(term)
        return flat

    def cuts_off(self, conditions: Iterable[Condition]) -> bool:
        """Whether what passes may all lie apart from what is near: another genre does, and who is left out may be all
        that is near. A graph is then walked past points that do not pass."""
        return any(isinstance(one, NoneOf) or self.fields[one.field] == "keywords" for one in conditions)

    def _fit(self, field: str, value: PayloadValue) -> PayloadValue:
        kind = self.fields.get(field)
        if kind == "keyword" and isinstance(value, str) and len(value.encode()) <= MOST_BYTES:
            return value
        if kind == "keywords" and isinstance(value, list | tuple):
            return [str(self._fit_keyword(field, entry)) for entry in value]
        if (
            kind == "integer"
            and isinstance(value, int)
            and not isinstance(value, bool)
            and abs(value) <= LARGEST_INTEGER
        ):
            return value
        if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        if kind is None:
            raise UnfitPointError(f"{self.name} has no field {field!r}, only {sorted(self.fields)}")
        raise UnfitPointError(f"{self.name}.{field} is {_described(kind)}, not {value!r}")

    def _fit_keyword(self, field: str, entry: object) -> str:
        if not isinstance(entry, str) or len(entry.encode()) > MOST_BYTES:
            raise UnfitPointError(f"{self.name}.{field} is {_described('keywords')}, and one entry is {entry!r}")
        return entry

    def _check_condition(self, term: Condition) -> None:
        kind = self.fields.get(term.field)
        if kind is None:
            raise UnfitQueryError(f"{self.name} has no field {term.field!r}, only {sorted(self.fields)}")
        if isinstance(term, Between):
            if kind not in ("integer", "float"):
                raise UnfitQueryError(f"{self.name}.{term.field} is {_described(kind)}: it has no order")
            if any(end is not None and not math.isfinite(end) for end in (term.low, term.high)):
                raise UnfitQueryError(f"{self.name}.{term.field}: an open end is None, not infinity")
            return
        if kind == "float":
            raise UnfitQueryError(
                f"{self.name}.{term.field} is a float: ask for a range, equality is a matter of rounding"
            )
        expected = int if kind == "integer" else str
        values = (term.value,) if isinstance(term, Is) else term.values
        if odd := [value for value in values if type(value) is not expected]:
            raise UnfitQueryError(f"{self.name}.{term.field} is {_described(kind)}; it never equals {odd[0]!r}")


def _squared(vector: Vector, dimension: int) -> float:
    """The square of its length; NaN for what is no such vector of float32."""
    if vector.dtype != np.float32 or vector.shape != (dimension,):
        return math.nan
    with np.errstate(over="ignore", invalid="ignore"):
        return float(vector @ vector)


def check_id(point_id: str) -> str:
    """The id itself. Raises `UnfitPointError` when it is empty or longer than 64 bytes."""
    if not 1 <= len(point_id.encode()) <= MOST_BYTES:
        raise UnfitPointError(f"an id has 1 to {MOST_BYTES} bytes, unlike {point_id!r}")
    return point_id


def check_limit(limit: int) -> int:
    """The limit itself. Raises `UnfitQueryError` outside 1 to 100, the most that every engine can return at once."""
    if not 1 <= limit <= LARGEST_LIMIT:
        raise UnfitQueryError(f"a limit is between 1 and {LARGEST_LIMIT}, not {limit}")
    return limit


def _described(kind: FieldType) -> str:
    return {
        "keyword": f"a keyword of at most {MOST_BYTES} bytes",
        "keywords": f"a list of keywords of at most {MOST_BYTES} bytes",
        "integer": "an integer (a flag is 0 or 1) of at most 53 bits",
        "float": "a finite number",
    }[kind]
