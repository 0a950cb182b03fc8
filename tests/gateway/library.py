"""A stand-in for the part of catalog that keeps what listeners say and gather; it checks next to nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tonetouch_contracts.feedback import FeedbackGiven, FeedbackTaken, GiveFeedback, LikeView, ListLikes
from tonetouch_contracts.identity import PlaylistId, TrackId
from tonetouch_contracts.message import Command, Done, Event, Page
from tonetouch_contracts.playlist import (
    AddToPlaylist,
    CreatePlaylist,
    DeletePlaylist,
    ListPlaylists,
    PlaylistCreated,
    PlaylistDeleted,
    PlaylistRenamed,
    PlaylistShown,
    PlaylistTracksAdded,
    PlaylistTracksRemoved,
    PlaylistView,
    RemoveFromPlaylist,
    RenamePlaylist,
    ShowPlaylist,
)
from tonetouch_runtime import Answered, Floor, Refused, Router, decode_cursor, encode_cursor

AT = "2026-11-22T00:00:00.000000Z"


@dataclass
class Library:
    """Playlists and their tracks, and likes, as they are to be answered."""

    playlists: dict[PlaylistId, PlaylistView] = field(default_factory=dict)
    tracks: dict[PlaylistId, list[TrackId]] = field(default_factory=dict)
    likes: list[LikeView] = field(default_factory=list)

    def answer(self, router: Router, note: Callable[[Command[Any]], None]) -> None:
        """Answer on this router, noting each command first."""
        self._note = note
        router.answers(GiveFeedback)(self._give)
        router.answers(ListLikes)(self._list_likes)
        router.answers(CreatePlaylist)(self._create)
        router.answers(RenamePlaylist)(self._rename)
        router.answers(DeletePlaylist)(self._delete)
        router.answers(AddToPlaylist)(self._add)
        router.answers(RemoveFromPlaylist)(self._remove)
        router.answers(ListPlaylists)(self._list)
        router.answers(ShowPlaylist)(self._show)

    def forget(self) -> None:
        """Be as new."""
        for known in (self.playlists, self.tracks, self.likes):
            known.clear()

    async def _give(self, command: GiveFeedback, floor: Floor) -> Answered[FeedbackTaken]:
        self._note(command)
        given = FeedbackGiven(**(msgspec.structs.asdict(command) | {"at": command.at or AT}))
        positions = await floor.log.pour(given)
        return Answered(value=FeedbackTaken(feedback_id=command.feedback_id), positions=positions)

    async def _list_likes(self, command: ListLikes, _: Floor) -> Page[LikeView]:
        self._note(command)
        return Page(items=tuple(self.likes), next_cursor="more")

    async def _create(self, command: CreatePlaylist, floor: Floor) -> Answered[Done]:
        self._note(command)
        view = PlaylistView(id=command.playlist_id, user_id=command.user_id, name=command.name, tracks=0, created_at=AT)
        self.playlists.setdefault(command.playlist_id, view)
        self.tracks.setdefault(command.playlist_id, [])
        return await _said(PlaylistCreated(**msgspec.structs.asdict(command), at=AT), floor)

    async def _rename(self, command: RenamePlaylist, floor: Floor) -> Answered[Done]:
        view = self._known(command)
        self.playlists[view.id] = msgspec.structs.replace(view, name=command.name)
        return await _said(PlaylistRenamed(**msgspec.structs.asdict(command)), floor)

    async def _delete(self, command: DeletePlaylist, floor: Floor) -> Answered[Done]:
        del self.playlists[self._known(command).id]
        return await _said(PlaylistDeleted(**msgspec.structs.asdict(command)), floor)

    async def _add(self, command: AddToPlaylist, floor: Floor) -> Answered[Done]:
        self._fill(self._known(command), [*self.tracks[command.playlist_id], *command.track_ids])
        return await _said(PlaylistTracksAdded(**msgspec.structs.asdict(command)), floor)

    async def _remove(self, command: RemoveFromPlaylist, floor: Floor) -> Answered[Done]:
        left = [one for one in self.tracks[command.playlist_id] if one not in command.track_ids]
        self._fill(self._known(command), left)
        return await _said(PlaylistTracksRemoved(**msgspec.structs.asdict(command)), floor)

    async def _list(self, command: ListPlaylists, _: Floor) -> Page[PlaylistView]:
        self._note(command)
        return Page(items=tuple(self.playlists.values()))

    async def _show(self, command: ShowPlaylist, _: Floor) -> PlaylistShown:
        view = self._known(command)
        start = int(decode_cursor(command.cursor, int)[0]) if command.cursor else 0
        end = start + command.limit
        ids = self.tracks[view.id]
        more = encode_cursor(end) if end < len(ids) else None
        return PlaylistShown(playlist=view, track_ids=tuple(ids[start:end]), next_cursor=more)

    def _known(self, command: Any) -> PlaylistView:
        self._note(command)
        if command.playlist_id not in self.playlists:
            raise Refused("not_found", "There is no such playlist.")
        return self.playlists[command.playlist_id]

    def _fill(self, view: PlaylistView, track_ids: list[TrackId]) -> None:
        self.tracks[view.id] = track_ids
        self.playlists[view.id] = msgspec.structs.replace(view, tracks=len(track_ids))


async def _said(event: Event, floor: Floor) -> Answered[Done]:
    return Answered(value=Done(), positions=await floor.log.pour(event))
