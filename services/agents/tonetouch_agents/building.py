"""Contexts are built: what the catalogue knows of an artist or album is put together once and kept as an object.

Says `ContextBuilt`. A context stays as it is, to the byte, until the nightly refresh, or until somebody asks for a text
of which more is known by now, an hour after it was built at the earliest: so long a provider may still keep it.
"""

from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Select, select

from tonetouch_agents.collecting import AlbumRow, ArtistRow, TrackRow
from tonetouch_agents.context import Context, Contexts, compose, hash_of_facts, replace
from tonetouch_agents.copy import Copy
from tonetouch_agents.facts import in_order, numbered, of_album, of_artist
from tonetouch_agents.subject import Subject
from tonetouch_contracts.copy import ContextBuilt, CopyKind, Known
from tonetouch_runtime import Floor, ObjectMissing, moment, stamp

log = structlog.get_logger()

STAYS = timedelta(hours=1)
MOST_ROWS = 2_000
MOST_BYTES = 4 << 20

Row = dict[str, Any]


async def context_of(subject: Subject, floor: Floor, *, refresh: bool = False) -> Context | None:
    """The context of an artist or album; None of one without tracks.

    It is built where there is none, where its object is gone, with `refresh`, and where its facts have changed and it
    is older than an hour.
    """
    built = (await floor.log.load("AGENTS", subject.context_id, Contexts())).state.built
    now = floor.clock.now()
    if (
        built is not None
        and not refresh
        and now - moment(built.built_at) < STAYS
        and (kept := await _kept(built, floor))
    ):
        return kept
    known, tracks = await _known(subject, floor)
    if not known:
        return None
    unchanged = built is not None and built.facts_sha256 == hash_of_facts(numbered(known, "F"))
    if built is not None and unchanged and not refresh and (kept := await _kept(built, floor)):
        return kept
    return await _build(subject, known, tracks, floor)


async def known_context(subject: Subject | None, floor: Floor) -> Context | None:
    """The context as it was built last, None where none was: nothing is built for the asking."""
    if subject is None:
        return None
    built = (await floor.log.load("AGENTS", subject.context_id, Contexts())).state.built
    return None if built is None else await _kept(built, floor)


async def _build(subject: Subject, known: list[Known], tracks: list[Row], floor: Floor) -> Context:
    earlier = await _earlier(subject, floor)
    lyrics = {f"track_{number}": track["lyrics"] for number, track in enumerate(tracks, 1) if track["lyrics"]}
    context = compose(str(subject), known, lyrics, earlier)
    key = await _keep(context, floor)
    said = ContextBuilt(
        context_id=subject.context_id,
        subject=str(subject),
        sha256=context.sha256,
        facts_sha256=context.facts_sha256,
        object_key=key,
        facts=len(context.facts),
        characters=len(context.text),
        built_at=stamp(floor.clock.now()),
    )
    # The object is there before anybody can read of it.
    await floor.log.transact("AGENTS", subject.context_id, Contexts(), partial(replace, built=said))
    return context


async def _keep(context: Context, floor: Floor) -> str:
    key = f"ai/{context.sha256}.context"
    await floor.objects.put(key, context.to_bytes())
    return key


async def _kept(built: ContextBuilt, floor: Floor) -> Context | None:
    try:
        return Context.from_bytes(await floor.objects.get(built.object_key, max_bytes=MOST_BYTES))
    except ObjectMissing:
        log.warning("context_gone", subject=built.subject, key=built.object_key)
        return None


async def _known(subject: Subject, floor: Floor) -> tuple[list[Known], list[Row]]:
    """The facts of a subject and its tracks in order; no facts where the tables have no track of it."""
    return await (_of_artist(subject.id, floor) if subject.about == "artist" else _of_album(subject.id, floor))


async def _of_artist(artist_id: str, floor: Floor) -> tuple[list[Known], list[Row]]:
    artists, albums, tracks = (floor.tables.live(model) for model in (ArtistRow, AlbumRow, TrackRow))
    artist = await _first(select(artists).where(artists.c.artist_id == artist_id), floor)
    if artist is None:
        return [], []
    own = await _all(select(albums).where(albums.c.artist_id == artist_id).order_by(albums.c.album_id), floor)
    found = await _all(select(tracks).where(tracks.c.artist_id == artist_id).order_by(tracks.c.track_id), floor)
    return (of_artist(artist, own, found), in_order(found)) if found else ([], [])


async def _of_album(album_id: str, floor: Floor) -> tuple[list[Known], list[Row]]:
    artists, albums, tracks = (floor.tables.live(model) for model in (ArtistRow, AlbumRow, TrackRow))
    album = await _first(select(albums).where(albums.c.album_id == album_id), floor)
    if album is None:
        return [], []
    artist = await _first(select(artists).where(artists.c.artist_id == album["artist_id"]), floor)
    found = await _all(select(tracks).where(tracks.c.album_id == album_id).order_by(tracks.c.track_id), floor)
    return (of_album(album, artist, found), in_order(found)) if found else ([], [])


async def _first(query: Select[Any], floor: Floor) -> Row | None:
    row = await floor.tables.one(query)
    return None if row is None else {str(name): value for name, value in row.items()}


async def _all(query: Select[Any], floor: Floor) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in await floor.tables.all(query.limit(MOST_ROWS))]


async def _earlier(subject: Subject, floor: Floor) -> dict[CopyKind, str]:
    """The texts there are about it, from the log: the tables may lag."""
    copies = {kind: (await floor.log.load("AGENTS", subject.copy_id(kind), Copy())).state for kind in subject.kinds}
    return {kind: copy.written.text for kind, copy in copies.items() if copy.written is not None}
