"""Looking into a JSON document of somebody else without trusting its shape."""

import msgspec


def at(document: object, *path: str | int) -> object:
    """What stands at the end of a path of keys and places; null where the path ends before."""
    for step in path:
        if isinstance(step, str):
            document = document.get(step) if isinstance(document, dict) else None
        else:
            document = document[step] if isinstance(document, list) and len(document) > step else None
    return document


def text_at(document: object, *path: str | int) -> str | None:
    """The same, where it is a text."""
    found = at(document, *path)
    return found if isinstance(found, str) else None


def list_at(document: object, *path: str | int) -> list[object]:
    """The same, where it is a list; empty where it is none."""
    found = at(document, *path)
    return found if isinstance(found, list) else []


def as_text(value: object) -> str:
    """A value that was meant as text: null is nothing, anything that is no text is its JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
