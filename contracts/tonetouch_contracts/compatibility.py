"""Whether a message may change from one JSON Schema to another without a new name.

The log keeps every event for ever and other teams read it with older types, so the rule is full compatibility: a new
reader understands every old message, and an old reader every new one. What breaks either side is reported.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_SAYS_NOTHING = frozenset({"title", "description", "examples", "$comment", "$schema", "$id", "$defs", "deprecated"})
_TREATED_APART = frozenset({"type", "enum", "properties", "required", "default"})


def breaking_changes(old_schema: Schema, new_schema: Schema) -> list[str]:
    """What `new_schema` breaks for messages or readers of `old_schema`, one sentence each; empty where nothing.

    Optional new fields are fine, and so are other titles and descriptions. Reported are: fields that were removed, are
    new and required, became required or optional; types, enum values and constraints that differ in either direction;
    defaults that changed, since a default is what old messages mean by silence. Names of definitions do not count, only
    what they hold. Of a command, its answer (``x-reply``) is compared as well. Both are schemas as msgspec makes them:
    references stay inside the document.
    """
    comparison = _Comparison(old_schema, new_schema)
    reported = list(comparison.compare(old_schema, new_schema, "the message"))
    if "x-reply" in old_schema or "x-reply" in new_schema:
        old_reply, new_reply = old_schema.get("x-reply", {}), new_schema.get("x-reply", {})
        reported.extend(comparison.compare(old_reply, new_reply, "the reply"))
    return reported


class _Comparison:
    def __init__(self, old_root: Schema, new_root: Schema) -> None:
        self._old_root = old_root
        self._new_root = new_root
        self._under_way: set[tuple[int, int]] = set()

    def compare(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        old_kinds, new_kinds = _kinds(old, self._old_root), _kinds(new, self._new_root)
        for kind in sorted(old_kinds.keys() - new_kinds.keys()):
            yield f"{path} may no longer be {kind}"
        for kind in sorted(new_kinds.keys() - old_kinds.keys()):
            yield f"{path} may now be {kind}"
        for kind in sorted(old_kinds.keys() & new_kinds.keys()):
            pair = (id(old_kinds[kind]), id(new_kinds[kind]))
            if pair not in self._under_way:  # a definition that holds itself is compared once
                self._under_way.add(pair)
                yield from self._compare_kind(old_kinds[kind], new_kinds[kind], path)
                self._under_way.discard(pair)

    def _compare_kind(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = _values(old), _values(new)
        yield from (f"{path} may no longer be {value}" for value in sorted(before - after))
        yield from (f"{path} may now be {value}" for value in sorted(after - before))
        yield from self._compare_fields(old, new, path)
        for keyword in sorted((old.keys() | new.keys()) - _SAYS_NOTHING - _TREATED_APART):
            if not keyword.startswith("x-"):
                yield from self._compare_keyword(keyword, old.get(keyword), new.get(keyword), path)

    def _compare_keyword(self, keyword: str, old: Any, new: Any, path: str) -> Iterator[str]:
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self.compare(old, new, f"{path}[]")
        elif keyword == "prefixItems" and old and new and len(old) == len(new):
            for place, (before, after) in enumerate(zip(old, new, strict=True)):
                yield from self.compare(before, after, f"{path}[{place}]")
        elif old != new:
            yield f"{path}: {keyword} was {old!r} and is {new!r}"

    def _compare_fields(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        must_before, must_after = set(old.get("required", ())), set(new.get("required", ()))
        yield from (f"{_field(path, name)} was removed" for name in before if name not in after)
        yield from (
            f"{_field(path, name)} is new and required" for name in after if name not in before and name in must_after
        )
        for name in (name for name in before if name in after):
            if name in must_after - must_before:
                yield f"{_field(path, name)} became required"
            elif name in must_before - must_after:
                yield f"{_field(path, name)} became optional"
            elif before[name].get("default") != after[name].get("default"):
                yield f"{_field(path, name)} has another default"
            yield from self.compare(before[name], after[name], _field(path, name))


def _field(path: str, name: str) -> str:
    return name if path == "the message" else f"{path.removeprefix('the ')}.{name}"


def _resolved(schema: Schema, root: Schema) -> Schema:
    while (reference := schema.get("$ref")) is not None:
        found: Any = root
        for step in str(reference).removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _kinds(schema: Schema, root: Schema) -> dict[str, Schema]:
    """The alternatives of a schema by what tells them apart: their type, and among several objects their tag."""
    schema = _resolved(schema, root)
    alternatives = [_resolved(alternative, root) for alternative in schema.get("anyOf", (schema,))]
    objects = sum(alternative.get("type") == "object" for alternative in alternatives)
    kinds: dict[str, Schema] = {}
    for alternative in alternatives:
        types = alternative.get("type", "one of a list" if "enum" in alternative else "anything")
        for kind in [types] if isinstance(types, str) else types:
            kinds[f"object {_tag(alternative)}" if kind == "object" and objects > 1 else kind] = alternative
    return kinds


def _tag(schema: Schema) -> str:
    for field in schema.get("properties", {}).values():
        if len(field.get("enum", ())) == 1:
            return repr(field["enum"][0])
    return ""


def _values(schema: Schema) -> set[str]:
    return {repr(value) for value in schema.get("enum", ())}
