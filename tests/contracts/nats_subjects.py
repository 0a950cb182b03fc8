"""How a NATS server matches subjects: ``*`` stands for one token, ``>`` for one or more at the end."""

from itertools import zip_longest


def covers(wider: str, narrower: str) -> bool:
    """Whether all that the subject or pattern `narrower` stands for is matched by the pattern `wider`."""
    given = narrower.split(".")
    for place, token in enumerate(wider.split(".")):
        if token == ">":
            return len(given) > place
        if place >= len(given) or given[place] == ">" or token not in ("*", given[place]):
            return False
    return wider.count(".") == narrower.count(".")


def overlap(first: str, second: str) -> bool:
    """Whether some subject is matched by both patterns."""
    for one, other in zip_longest(first.split("."), second.split(".")):
        if one is None or other is None:
            return False
        if ">" in (one, other):
            return True
        if one != other and "*" not in (one, other):
            return False
    return True
