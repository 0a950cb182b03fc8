"""Is this sound known already? The ladder from aligned fingerprints to same, version or new.

A version too many is a harmless extra row, a false duplicate hides somebody's song: when in doubt, keep both.
The error rates behind the limits were measured on synthetic songs and are held by the tests of this module. Strangers
of a minute lie at 0.36 and above, so the limits guard against sister recordings: an instrumental, a clean edit, a
remaster. What counts is the rate without the part that a cut between two items explains; it alone can cost 0.067.
Where half a minute meets, two recordings on one accompaniment are told from strangers, and linked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from tonetouch_ingest.listening.fingerprint import (
    ITEM_SECONDS,
    MINIMUM_UNIQUE_ITEMS,
    SILENCE,
    Alignment,
    Items,
    align,
)

MINIMUM_COSINE: Final = 0.55  # trims and padding stay above 0.7, strangers never passed 0.26
SAME_BIT_ERROR_RATE: Final = 0.06  # every transcode, trim and padding lies below 0.03; an instrumental seldom
# In the worst four seconds a transcode has 0.06, a trim 0.03, two codecs together 0.1; an instrumental 0.18 and more.
SAME_WORST_ERROR_RATE: Final = 0.13
VERSION_BIT_ERROR_RATE: Final = 0.15  # an equaliser and compressor ("remaster") gives 0.09 to 0.12
LONG_VERSION_BIT_ERROR_RATE: Final = 0.3  # instrumentals lie below 0.24, strangers from 0.36 on
LONG_OVERLAP_ITEMS: Final = 240  # about 30 s: in less, strangers come nearer by chance
SAME_DURATION_SECONDS: Final = 1.0  # encoders pad by up to 0.1 s, and item offsets are exact to 0.12 s
MAXIMUM_TRIM_SECONDS: Final = 12.0  # more missing music at one end is a radio edit or an excerpt, not a careless cut
MINIMUM_OVERLAP_ITEMS: Final = 80  # about 10 s: fewer agree by chance in looped music
FINGERPRINT_SECONDS: Final = 120.0  # what lies beyond is not seen, so an end there is known by duration only
ITEM_REACH_SECONDS: Final = 2.6  # one item looks that far ahead, so the last one stands that long before the end

SHORT_SECONDS: Final = 30.0  # below, the vector falls under 0.83 of its own original: compare directly
# Short sounds give few items. Songs of 6 to 29 s that overlap this far differ by 0.25 and more (780 pairs each), so the
# error limits hold for them too; but an excerpt, a loop or a common intro is more easily the whole of a short sound.
SHORT_MINIMUM_ITEMS: Final = 16  # about 4.6 s: nothing shorter is ever said to be known
SHORT_OVERLAP_SHARE: Final = 0.8  # of the shorter sound: without this a common intro would be enough
SHORT_UNIQUE_SHARE: Final = 0.5  # of the overlap: a held note repeats its items, songs have 0.99
SHORT_MAXIMUM_TRIM_SECONDS: Final = 1.0  # three seconds of a jingle are too much of it to call it a trim


@dataclass(frozen=True, kw_only=True, eq=False)
class Sound:
    """One track as it is compared: its fingerprint items (at most 120 s) and its whole duration.

    `cosine` is how near the vector index found it to the sound in question; None when it was not found by that.
    """

    track_id: str
    items: Items
    duration_seconds: float
    cosine: float | None = None


class Same(msgspec.Struct, frozen=True, kw_only=True, tag="same"):
    """The same recording as the earlier track `of`, perhaps in another codec, trimmed or padded.

    `bit_error_rate` is the share of bits that differ where no shift by part of an item explains it.
    `offset_seconds` is where in this track `of` begins; negative when `of` has more in front.
    """

    of: str
    bit_error_rate: float
    offset_seconds: float


class Version(msgspec.Struct, frozen=True, kw_only=True, tag="version"):
    """Another form of the earlier track `of` (remaster, instrumental, excerpt). Both stay; a person may decide."""

    of: str
    bit_error_rate: float
    offset_seconds: float


class New(msgspec.Struct, frozen=True, tag="new"):
    """No earlier track sounds like it. That two sounds could not be compared also ends here."""


Decision = Same | Version | New


def decide(track: Sound, candidates: Iterable[Sound]) -> Decision:
    """Compares a track with earlier ones and says what it is.

    The caller chooses who is earlier, by one order for all: then of two uploads at once exactly one can become the
    duplicate. Of several equal ones the smallest id is named (ids are UUIDv7: the first upload); of several versions
    the nearest. The track itself is passed over, so asking twice changes nothing.
    """
    others = (one for one in candidates if one.track_id != track.track_id)
    found = [_compare(track, one) for one in others if one.cosine is None or one.cosine >= MINIMUM_COSINE]
    same = [one for one in found if isinstance(one, Same)]
    if same:
        return min(same, key=lambda one: one.of)
    versions = [one for one in found if isinstance(one, Version)]
    return min(versions, key=lambda one: (one.bit_error_rate, one.of), default=New())


def _compare(track: Sound, other: Sound) -> Decision:
    short = min(track.duration_seconds, other.duration_seconds) < SHORT_SECONDS
    met = align(track.items, other.items)
    if not (_enough_of_short(track, other, met) if short else _enough(track, other, met)):
        return New()
    rate, offset = met.unshifted_error_rate, met.offset_items * ITEM_SECONDS
    if rate > (LONG_VERSION_BIT_ERROR_RATE if met.overlap_items >= LONG_OVERLAP_ITEMS else VERSION_BIT_ERROR_RATE):
        return New()
    trim = SHORT_MAXIMUM_TRIM_SECONDS if short else MAXIMUM_TRIM_SECONDS
    is_near = rate <= SAME_BIT_ERROR_RATE and met.worst_error_rate <= SAME_WORST_ERROR_RATE
    if is_near and _ends_agree(track, other, met.offset_items, trim):
        return Same(of=other.track_id, bit_error_rate=rate, offset_seconds=offset)
    return Version(of=other.track_id, bit_error_rate=rate, offset_seconds=offset)


def _enough(track: Sound, other: Sound, met: Alignment) -> bool:
    return (
        met.overlap_items >= MINIMUM_OVERLAP_ITEMS
        and met.unique_items >= MINIMUM_OVERLAP_ITEMS // 2
        and min(_unique(track.items), _unique(other.items)) >= MINIMUM_UNIQUE_ITEMS
    )


def _enough_of_short(track: Sound, other: Sound, met: Alignment) -> bool:
    shorter = min(_heard(track.items), _heard(other.items))
    return (
        met.overlap_items >= max(SHORT_MINIMUM_ITEMS, SHORT_OVERLAP_SHARE * shorter)
        and met.unique_items >= SHORT_UNIQUE_SHARE * met.overlap_items
    )


def _ends_agree(track: Sound, other: Sound, offset_items: int, trim_seconds: float) -> bool:
    """Whether both begin and end together, or one contains the other but for silence or a short trim."""
    lead = offset_items * ITEM_SECONDS
    tail = track.duration_seconds - lead - other.duration_seconds
    extras = [one for one in (_front(track, other, lead), _end(track, other, lead, tail)) if one is not None]
    musical = [one for one in extras if not one.silent]
    one_contains_the_other = len({one.of for one in musical}) <= 1
    return one_contains_the_other and all(one.seconds <= trim_seconds for one in musical)


@dataclass(frozen=True, kw_only=True)
class _Extra:
    """What one of two sounds has beyond the other at one end."""

    of: str
    seconds: float
    silent: bool


def _front(track: Sound, other: Sound, lead: float) -> _Extra | None:
    if abs(lead) <= SAME_DURATION_SECONDS:
        return None
    longer = track if lead > 0 else other
    part = longer.items[: _whole_items(abs(lead) - ITEM_REACH_SECONDS)]
    return _Extra(of=longer.track_id, seconds=abs(lead), silent=_is_silent(part))


def _end(track: Sound, other: Sound, lead: float, tail: float) -> _Extra | None:
    """An end past the fingerprint is unseen: only durations speak for it, so any difference there is too much."""
    if abs(tail) <= SAME_DURATION_SECONDS:
        return None
    longer = track if tail > 0 else other
    if longer.duration_seconds > FINGERPRINT_SECONDS:
        return _Extra(of=longer.track_id, seconds=float("inf"), silent=False)
    begins = longer.duration_seconds - abs(tail)
    part = longer.items[_whole_items(begins) :]
    return _Extra(of=longer.track_id, seconds=abs(tail), silent=_is_silent(part))


def _whole_items(seconds: float) -> int:
    return max(0, round(seconds / ITEM_SECONDS))


def _is_silent(items: Items) -> bool:
    return len(items) > 0 and bool(np.all(items == SILENCE))


def _heard(items: Items) -> int:
    return int(np.count_nonzero(items != SILENCE))


def _unique(items: Items) -> int:
    return len(np.unique(items[items != SILENCE]))
