"""Metadata filters of Vectorize: every condition must hold, and only on indexed properties."""

from typing import Any

from tests.cloud.asking import encoded
from tests.cloud.indexes import Index, Vector, no

FILTER_BYTES = 2048
INDEXED_BYTES = 64
_OPERATORS = ("$eq", "$ne", "$in", "$nin", "$lt", "$lte", "$gt", "$gte")
_TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "number": (int, float), "boolean": bool}


def checked_filter(index: Index, given: Any) -> dict[str, dict[str, Any]]:
    """Conditions by property. Raises Refused for what is not documented, and for a property without an index."""
    if not isinstance(given, dict) or not given:
        raise no("filter: a non-empty object")
    if len(encoded(given)) >= FILTER_BYTES:
        raise no("filter: less than 2048 bytes as compact JSON")
    conditions = {}
    for name, wanted in given.items():
        if not name or name.startswith("$") or '"' in name or "|" in name or len(name) > 512:
            raise no(f"filter: {name} is no name of a property")
        if name not in index.properties:
            raise no(f"filter: there is no metadata index on {name}")
        conditions[name] = _condition(name, wanted)
    return conditions


def _condition(name: str, wanted: Any) -> dict[str, Any]:
    if not isinstance(wanted, dict):
        wanted = {"$eq": wanted}
    for operator, operand in wanted.items():
        many = operator in ("$in", "$nin")
        if operator not in _OPERATORS or many != isinstance(operand, list) or isinstance(operand, dict):
            raise no(f"filter: {name}: {operator} with {type(operand).__name__} is not known")
        if operator in ("$lt", "$lte", "$gt", "$gte") and (isinstance(operand, bool) or operand is None):
            raise no(f"filter: {name}: {operator} needs a string or a number")
    if not wanted:
        raise no(f"filter: {name}: nothing is asked")
    return dict(wanted)


def fits(
    index: Index, vector: Vector, conditions: dict[str, dict[str, Any]], *, absent_is_unequal: bool = True
) -> bool:
    """Whether every condition holds. A vector written before an index was made is not in that index."""
    return all(
        _holds(_indexed_value(index, vector, name), operator, operand, absent_is_unequal)
        for name, condition in conditions.items()
        for operator, operand in condition.items()
    )


def _indexed_value(index: Index, vector: Vector, name: str) -> Any:
    value: Any = vector.metadata if name in vector.indexed else None
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    kind = index.properties[name]
    if not isinstance(value, _TYPES[kind]) or (kind == "number" and isinstance(value, bool)):
        return None
    return cut(value)


def cut(value: Any) -> Any:
    """What an index holds of a value: of a text its first 64 bytes, whole characters only."""
    return value.encode()[:INDEXED_BYTES].decode(errors="ignore") if isinstance(value, str) else value


def _holds(value: Any, operator: str, operand: Any, absent_is_unequal: bool) -> bool:
    if value is None and operator in ("$ne", "$nin") and not absent_is_unequal:
        return False
    if operator in ("$eq", "$in"):
        return any(_same(value, one) for one in (operand if operator == "$in" else [operand]))
    if operator in ("$ne", "$nin"):
        return not any(_same(value, one) for one in (operand if operator == "$nin" else [operand]))
    if value is None or isinstance(value, bool) or isinstance(value, str) != isinstance(operand, str):
        return False
    compared: dict[str, bool] = {
        "$lt": value < operand,
        "$lte": value <= operand,
        "$gt": value > operand,
        "$gte": value >= operand,
    }
    return compared[operator]


def _same(value: Any, operand: Any) -> bool:
    """Equal, and true is not one."""
    return isinstance(value, bool) is isinstance(operand, bool) and bool(value == operand)
