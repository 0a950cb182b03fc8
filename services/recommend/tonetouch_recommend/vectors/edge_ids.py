"""The ids of points as ids of Qdrant, which are UUIDs, and back. Pure.

Six bits of a UUIDv7 never differ: four of its version, two of its variant (RFC 9562, sections 4.1 and 5.7). An id that
is a UUIDv7 is itself there; of `uuid:number` those bits hold the number, for which the variants that no such UUID has
leave 48 values. So what is nearest can be named without reading what is kept beside each vector, which takes a quarter
of a query. Any other id becomes a UUIDv5 made from it, which tells nothing: the point itself has to say its id.
"""

import functools
import uuid
from typing import Final

_NAMES: Final = uuid.UUID("6f0c1f9e-5b0e-5c55-9c6e-3f1f6e0c7a11")  # never changes: ids on disk are derived from it

_FIXED: Final = 0xF << 76 | 0x3 << 62
_VERSION_7: Final = 0x7 << 76 | 0x2 << 62
_NUMBERED: Final = [version << 76 | variant << 62 for variant in (0b00, 0b01, 0b11) for version in range(16)]
_ENDINGS: Final = {_VERSION_7: ""} | {bits: f":{number}" for number, bits in enumerate(_NUMBERED)}
_NUMBERS: Final = {ending[1:]: bits for bits, ending in _ENDINGS.items() if ending}


@functools.lru_cache(maxsize=100_000)  # what somebody heard lately is left out of one query after another
def edge_id(point_id: str) -> uuid.UUID:
    """The id of a point in Qdrant; no two points have the same.

    >>> edge_id("0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e10:3")
    UUID('0192f0c4-7a1e-3c53-1c0d-5f2d9b6a4e10')
    """
    entity, colon, number = point_id.partition(":")
    bits = _NUMBERS.get(number) if colon else _VERSION_7
    value = _version_7(entity)
    if value is None or bits is None:
        return uuid.uuid5(_NAMES, point_id)
    return uuid.UUID(int=value & ~_FIXED | bits)


def point_id(edge: uuid.UUID) -> str | None:
    """The id of the point, or None where the id in Qdrant does not tell it.

    >>> point_id(uuid.UUID("0192f0c4-7a1e-3c53-1c0d-5f2d9b6a4e10"))
    '0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e10:3'
    """
    value = edge.int
    ending = _ENDINGS.get(value & _FIXED)
    if ending is None:
        return None
    digits = "%032x" % (value & ~_FIXED | _VERSION_7)
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}{ending}"


def _version_7(text: str) -> int | None:
    try:
        read = uuid.UUID(text)
    except ValueError:
        return None
    # Other spellings of the same UUID are other ids.
    return read.int if read.int & _FIXED == _VERSION_7 and str(read) == text else None
