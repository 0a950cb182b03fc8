"""Conditions as metadata filters of Vectorize, and what has to be looked at afterwards. Pure.

A filter joins by AND, has one operator or a range for each property, and fewer than 2,048 bytes. What does not fit into
one becomes several parts of the collection, each with a filter of its own; what no filter can say is left to be checked
on the payload of what was found.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, Final, TypeAlias

import msgspec

from .collection import LARGEST_INTEGER, AnyOf, Between, Collection, Condition, FieldType, Is, NoneOf
from .vectorize_metadata import ABSENT, SPACES, property_of

Filter: TypeAlias = dict[str, dict[str, Any]]

_MOST_BYTES: Final = 2_000  # of 2,047
_LARGEST_FLOAT: Final = 1.7976931348623157e308


class Part(msgspec.Struct, frozen=True):
    """Some of the points: those that pass the filter, in one namespace or in all of them."""

    where: Filter
    space: str | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What of a query's body says so."""
        filtered = {"filter": self.where} if self.where else {}
        return filtered if self.space is None else {**filtered, "namespace": self.space}

    def split(self) -> "list[Part]":
        """The same points namespace by namespace."""
        return [Part(self.where, f"{number:x}") for number in range(SPACES)]


class Plan(msgspec.Struct, frozen=True):
    """Parts that together hold every point that passes, and the conditions to check on what is found in them."""

    parts: Sequence[Part]
    rest: Sequence[Condition]


class _CannotPassError(Exception):
    pass


def planned(collection: Collection, conditions: Sequence[Condition]) -> Plan:
    """How to ask for the points of the collection that meet the conditions. Without parts nothing can."""
    by_field: dict[str, list[Condition]] = {}
    for condition in conditions:
        by_field.setdefault(condition.field, []).append(condition)
    room = _MOST_BYTES // max(1, len(by_field))
    choices, rest = list[list[Filter]](), list[Condition]()
    try:
        for field, asked in by_field.items():
            said = _Said(field, collection.fields[field], asked, room)
            choices.append(said.keywords() if said.kind == "keywords" else said.single())
            rest.extend(said.rest)
    except _CannotPassError:
        return Plan((), ())
    parts = [Part({name: asked for one in chosen for name, asked in one.items()}) for chosen in product(*choices)]
    return Plan(parts, rest)


class _Said:
    """What is asked of one field, as filters of which one has to hold, and the `rest` that they do not say."""

    def __init__(self, field: str, kind: FieldType, asked: Sequence[Condition], room: int) -> None:
        self.kind = kind
        self.rest: list[Condition] = []
        self._property = property_of(field, kind)
        self._room = room - len(self._property.encode()) - 20  # quotes, braces and the operator
        self._wanted = [_values(one) for one in asked if isinstance(one, Is | AnyOf)]
        self._unwanted = [one for one in asked if isinstance(one, NoneOf) and one.values]
        self._ranges = [one for one in asked if isinstance(one, Between)]
        self._asked = asked

    def single(self) -> list[Filter]:
        """Of a field with one value: what is wanted, else a range, else what is not wanted."""
        if self._wanted:
            return self._in(value for value in self._wanted[0] if self._passes(value))
        if self._ranges:
            self.rest.extend(self._unwanted)
            return [self._range()]
        return self._not_in(dict.fromkeys(value for one in self._unwanted for value in one.values))

    def keywords(self) -> list[Filter]:
        """Of a list, whose first entry is indexed: that entry is wanted, or one behind it, which is looked at later."""
        if not all(self._wanted):
            raise _CannotPassError
        self.rest.extend(one for one in self._asked if not (isinstance(one, NoneOf) and not one.values))
        if not self._wanted:
            return self._not_in(dict.fromkeys(value for one in self._unwanted for value in one.values))
        first, *_ = self._wanted
        return [*self._in(first), *self._not_in([ABSENT, *first])]

    def _passes(self, value: str | int) -> bool:
        return (
            all(value in values for values in self._wanted[1:])
            and not any(value in one.values for one in self._unwanted)
            and all(_within(value, one) for one in self._ranges)
        )

    def _in(self, values: Iterable[str | int]) -> list[Filter]:
        chunks = list(_chunks(dict.fromkeys(values), self._room))
        if not chunks:
            raise _CannotPassError
        return [{self._property: {"$in": chunk}} for chunk in chunks]

    def _not_in(self, values: Iterable[str | int]) -> list[Filter]:
        fitting = next(_chunks(values, self._room), [])
        if self.kind != "keywords" and any(value not in fitting for one in self._unwanted for value in one.values):
            self.rest.extend(self._unwanted)
        return [{self._property: {"$nin": fitting}}] if fitting else [{}]

    def _range(self) -> Filter:
        # Integers end where the number begins that stands for an absent one.
        end = LARGEST_INTEGER if self.kind == "integer" else _LARGEST_FLOAT
        low = max(-end, *(-end if one.low is None else one.low for one in self._ranges))
        high = min(end, *(end if one.high is None else one.high for one in self._ranges))
        if low > high:
            raise _CannotPassError
        return {self._property: {"$gte": low, "$lte": high}}


def _values(condition: Is | AnyOf) -> Sequence[str | int]:
    return (condition.value,) if isinstance(condition, Is) else condition.values


def _within(value: str | int, asked: Between) -> bool:
    return (
        isinstance(value, int)
        and (asked.low is None or value >= asked.low)
        and (asked.high is None or value <= asked.high)
    )


def _chunks(values: Iterable[str | int], room: int) -> Iterator[list[str | int]]:
    """The values in lists that take at most that many bytes as JSON, or hold one value."""
    chunk, size = list[str | int](), 0
    for value in values:
        length = len(msgspec.json.encode(value)) + 1
        if chunk and size + length > room:
            yield chunk
            chunk, size = [], 0
        chunk.append(value)
        size += length
    if chunk:
        yield chunk
