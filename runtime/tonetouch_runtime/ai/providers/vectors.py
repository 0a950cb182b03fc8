"""Vectors of a provider's JSON as the bytes we keep, and rankings as places in the question."""

import math
import sys
from array import array

from tonetouch_runtime.ai.providers.document import at
from tonetouch_runtime.ai.providers.wire import Headed
from tonetouch_runtime.ai.tasks import Ranked


def packed(headed: Headed, listed: object, *, expected: int) -> tuple[bytes, ...]:
    """Each vector as little-endian float32. Raises ProviderFailed unless all are there, finite and equally long."""
    if not isinstance(listed, list) or len(listed) != expected:
        found = len(listed) if isinstance(listed, list) else "no"
        raise headed.nonsense(f"{expected} vectors were asked for and {found} came")
    vectors = tuple(_packed(headed, vector) for vector in listed)
    if len({len(vector) for vector in vectors}) > 1:
        raise headed.nonsense("the vectors differ in length")
    return vectors


def ranking(headed: Headed, listed: object, *, passages: int, top: int | None) -> tuple[Ranked, ...]:
    """Pairs of ``id`` and ``score``, best first. Raises ProviderFailed for ids that are unknown, come twice or miss."""
    expected = min(passages, top or passages)
    if not isinstance(listed, list) or len(listed) < expected:
        found = len(listed) if isinstance(listed, list) else "no"
        raise headed.nonsense(f"{expected} passages were to be ranked and {found} came")
    ranked = []
    for one in listed:
        index, score = at(one, "id"), at(one, "score")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < passages:
            raise headed.nonsense("the ranking names a passage nobody asked about")
        if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
            raise headed.nonsense("a passage has no score")
        ranked.append(Ranked(index, float(score)))
    if len({one.index for one in ranked}) != len(ranked):
        raise headed.nonsense("the ranking names a passage twice")
    return tuple(sorted(ranked, key=lambda one: (-one.score, one.index))[:top])


def _packed(headed: Headed, vector: object) -> bytes:
    if not isinstance(vector, list) or not vector:
        raise headed.nonsense("a vector is empty")
    try:
        numbers = array("f", vector)
    except (TypeError, OverflowError):
        raise headed.nonsense("a vector holds something else than numbers") from None
    if not math.isfinite(sum(numbers)):
        raise headed.nonsense("a vector holds numbers that are not finite")
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
