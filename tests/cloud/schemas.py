"""Words that JSON schemas are made of."""

from typing import Any

JsonSchema = dict[str, Any]
STRING: JsonSchema = {"type": "string"}
NUMBER: JsonSchema = {"type": "number"}
BOOLEAN: JsonSchema = {"type": "boolean"}
OBJECT: JsonSchema = {"type": "object"}


def closed(properties: JsonSchema, *required: str) -> JsonSchema:
    """An object that knows no other fields."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def opened(properties: JsonSchema, *required: str) -> JsonSchema:
    """An object that may have other fields."""
    return {"type": "object", "properties": properties, "required": list(required)}


def listed(items: JsonSchema, **bounds: int) -> JsonSchema:
    return {"type": "array", "items": items, **bounds}


def between(least: float, most: float, kind: str = "number") -> JsonSchema:
    return {"type": kind, "minimum": least, "maximum": most}


def either(*schemas: JsonSchema) -> JsonSchema:
    return {"anyOf": list(schemas)}
