"""Stand-ins for the services behind the gateway: each answers its commands on a real bus from what a test put there."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from tests.gateway.indexes import StandInIndexes
from tests.gateway.ledger import Ledger
from tests.gateway.library import Library
from tests.gateway.operating import Listening
from tests.runtime.installation import provision
from tonetouch_contracts.copy import CopyView, ListCopy, WriteCopy
from tonetouch_contracts.finding import (
    FindPath,
    FindSimilar,
    Found,
    Heard,
    MakeBecause,
    MakeForYou,
    MakeMoodMix,
    MakeNewForYou,
    Mix,
    MixAlchemy,
    Results,
    SearchByVoice,
    SearchTracks,
    Selection,
    TuneRadio,
)
from tonetouch_contracts.identity import ContentHash, TrackId, UserId
from tonetouch_contracts.message import Done, Event, Page
from tonetouch_contracts.play import PlayRecorded, PlayTaken, RecordPlay
from tonetouch_contracts.serving import (
    ListServed,
    ListServedLists,
    Replayed,
    ReplayServedList,
    ServedView,
    ShowServedList,
)
from tonetouch_contracts.track import (
    Accepted,
    ListTracks,
    RelateTrack,
    ShowTrack,
    TrackUploaded,
    TrackView,
    UploadTrack,
)
from tonetouch_contracts.upload import IngestView, ListIngests, RetryIngest, ShowIngest
from tonetouch_gateway.app import app
from tonetouch_gateway.serving import Door
from tonetouch_runtime import Answered, App, Floor, Refused, Router, Settings, decode_cursor, encode_cursor, running

TOKEN = "token-of-the-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


class Nothing(msgspec.Struct, frozen=True):
    """A noun without rules."""

    def evolve(self, event: Event) -> "Nothing":
        return self


@dataclass
class Services:
    """What the services know, and what they were asked; an exception in `refusing` is their answer to a command."""

    tracks: dict[str, TrackView] = field(default_factory=dict)
    ingests: dict[str, IngestView] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    found: list[Found] = field(default_factory=list)
    mixes: list[Mix] = field(default_factory=list)
    selections: list[Selection] = field(default_factory=list)
    served: list[ListServed] = field(default_factory=list)
    copies: list[CopyView] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    library: Library = field(default_factory=Library)
    indexes: StandInIndexes = field(default_factory=StandInIndexes)
    listening: Listening = field(default_factory=Listening)
    asked: list[Any] = field(default_factory=list)
    refusing: dict[type[Any], list[Exception]] = field(default_factory=dict)

    def apps(self) -> list[App]:
        """One service each, under the names of the real ones."""
        catalog, ingest, recommend, agents, ledger = Router(), Router(), Router(), Router(), self.ledger.router()
        catalog.answers(UploadTrack)(self._upload)
        catalog.answers(ShowTrack)(self._show_track)
        catalog.answers(ListTracks)(self._list_tracks)
        catalog.answers(RelateTrack)(self._relate)
        catalog.answers(RecordPlay)(self._play)
        self.library.answer(catalog, self._note)
        ingest.answers(ShowIngest)(self._show_ingest)
        ingest.answers(ListIngests)(self._list_ingests)
        ingest.answers(RetryIngest)(self._retry)
        self.listening.hear(ingest)
        recommend.answers(SearchTracks)(self._search)
        recommend.answers(FindSimilar)(self._search)
        recommend.answers(SearchByVoice)(self._hear)
        recommend.answers(MakeForYou)(self._mix)
        for command in (MakeBecause, MakeNewForYou, TuneRadio, MakeMoodMix, FindPath, MixAlchemy):
            recommend.answers(command)(self._select)
        recommend.answers(ListServedLists)(self._list_served)
        recommend.answers(ShowServedList)(self._show_served)
        recommend.answers(ReplayServedList)(self._replay)
        self.indexes.answer(recommend, self._note)
        agents.answers(ListCopy)(self._list_copy)
        agents.answers(WriteCopy)(self._write_copy)
        routers = {
            "catalog": catalog,
            "ingest": ingest,
            "recommend": recommend,
            "agents": agents,
            "ai-ledger": ledger,
        }
        return [App(name=name, routers=(router,)) for name, router in routers.items()]

    def forget(self) -> None:
        """Be as new."""
        for known in (
            self.tracks,
            self.ingests,
            self.stuck,
            self.found,
            self.mixes,
            self.selections,
            self.served,
            self.copies,
            self.asked,
            self.refusing,
        ):
            known.clear()
        self.ledger.forget()
        self.library.forget()
        self.indexes.forget()
        self.listening.forget()

    def last(self, kind: type[Any]) -> Any:
        """The last command of this kind that was asked."""
        return next(command for command in reversed(self.asked) if isinstance(command, kind))

    def _note(self, command: Any) -> None:
        self.asked.append(command)
        if waiting := self.refusing.get(type(command)):
            raise waiting.pop(0)

    async def _upload(self, command: UploadTrack, floor: Floor) -> Answered[Accepted]:
        self._note(command)
        uploaded = TrackUploaded(**msgspec.structs.asdict(command))
        outcome = await floor.log.transact("CATALOG", command.track_id, Nothing(), lambda _: uploaded)
        self.tracks[command.track_id] = TrackView(
            id=command.track_id, status="uploaded", file_name=command.file_name, title=command.title
        )
        return Answered(value=Accepted(track_id=command.track_id, status="uploaded"), positions=outcome.positions)

    async def _show_track(self, command: ShowTrack, _: Floor) -> TrackView:
        self._note(command)
        if command.track_id not in self.tracks:
            raise Refused("not_found", f"There is no track {command.track_id}.")
        return self.tracks[command.track_id]

    async def _list_tracks(self, command: ListTracks, _: Floor) -> Page[TrackView]:
        self._note(command)
        views = [
            view
            for key, view in sorted(self.tracks.items())
            if (not command.track_ids or key in command.track_ids) and command.status in (None, view.status)
        ]
        start = int(decode_cursor(command.cursor, int)[0]) if command.cursor else 0
        end = start + command.limit
        more = encode_cursor(end) if 0 <= end < len(views) else None
        return Page(items=tuple(views[max(start, 0) : max(end, 0)]), next_cursor=more)

    async def _relate(self, command: RelateTrack, floor: Floor) -> Done:
        self._note(command)
        await self._show_track(ShowTrack(track_id=command.track_id), floor)
        return Done()

    async def _play(self, command: RecordPlay, floor: Floor) -> Answered[PlayTaken]:
        self._note(command)
        fields = msgspec.structs.asdict(command) | {"at": command.at or "now", "duration_seconds": None}
        positions = await floor.log.pour(PlayRecorded(**fields))
        return Answered(value=PlayTaken(play_id=command.play_id), positions=positions)

    async def _show_ingest(self, command: ShowIngest, _: Floor) -> IngestView:
        self._note(command)
        if command.track_id not in self.ingests:
            raise Refused("not_found", f"There is no upload {command.track_id}.")
        return self.ingests[command.track_id]

    async def _list_ingests(self, command: ListIngests, _: Floor) -> Page[IngestView]:
        self._note(command)
        if command.cursor:
            decode_cursor(command.cursor, str, str)
        of_state = {
            "stuck": lambda view: view.track_id in self.stuck,
            "failed": lambda view: view.status in ("failed", "rejected"),
            "running": lambda view: view.status == "processing",
        }
        wanted = of_state.get(command.state or "", lambda _: True)
        return Page(items=tuple(filter(wanted, self.ingests.values())))

    async def _retry(self, command: RetryIngest, floor: Floor) -> IngestView:
        self._note(command)
        return await self._show_ingest(ShowIngest(track_id=command.track_id), floor)

    async def _search(self, command: SearchTracks | FindSimilar, _: Floor) -> Page[Found]:
        self._note(command)
        if command.cursor:
            decode_cursor(command.cursor, float, str)
        return Page(items=tuple(self.found), next_cursor="more")

    async def _hear(self, command: SearchByVoice, floor: Floor) -> Heard:
        self._note(command)
        said = await floor.objects.get(command.object_key, max_bytes=1 << 20)
        return Heard(transcript=said.decode(), results=Results(items=tuple(self.found), next_cursor="more"))

    async def _mix(self, command: MakeForYou, _: Floor) -> Page[Mix]:
        self._note(command)
        return Page(items=tuple(self.mixes))

    async def _select(self, command: Any, _: Floor) -> Selection:
        self._note(command)
        return self.selections[-1]

    async def _list_served(self, command: ListServedLists, _: Floor) -> Page[ServedView]:
        self._note(command)
        names = ServedView.__struct_fields__
        views = [ServedView(**{name: getattr(one, name) for name in names}) for one in self.served]
        return Page(items=tuple(views), next_cursor="more")

    async def _show_served(self, command: ShowServedList, _: Floor) -> ListServed:
        self._note(command)
        return self.served[-1]

    async def _replay(self, command: ReplayServedList, _: Floor) -> Replayed:
        self._note(command)
        return Replayed(list_id=command.list_id, tracks=self.served[-1].tracks)

    async def _list_copy(self, command: ListCopy, _: Floor) -> Page[CopyView]:
        self._note(command)
        return Page(items=tuple(copy for copy in self.copies if command.kind in (None, copy.kind)))

    async def _write_copy(self, command: WriteCopy, _: Floor) -> CopyView:
        self._note(command)
        return CopyView(id=f"{command.kind}-1", kind=command.kind, subject=command.subject, status="asked")


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A gateway that serves on `port`, the services behind it, and a client that shows the token."""

    client: httpx.AsyncClient
    services: Services
    floors: dict[str, Floor]
    port: int

    @property
    def gateway(self) -> Floor:
        return self.floors["gateway"]

    async def say(self, *events: Event) -> int:
        """Append events of one entity to INGEST as ingest would; gives the sequence of the last."""
        outcome = await self.floors["ingest"].log.transact(
            "INGEST", events[0].entity_id, Nothing(), lambda _: list(events)
        )
        return outcome.positions["INGEST"]


@asynccontextmanager
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Everything provisioned and running on real servers, the gateway on a free port."""
    settings.http_port = 0
    await provision(settings)
    services = Services()
    async with AsyncExitStack() as stack:
        floors = {}
        for each in (*services.apps(), app):
            floors[each.name] = await stack.enter_async_context(running(each, settings))
        port = floors["gateway"].get(Door).port
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=AUTHORIZED, timeout=30, trust_env=False)
        await stack.enter_async_context(client)
        yield Installation(client=client, services=services, floors=floors, port=port)


def uploaded(track_id: str, **said: Any) -> TrackView:
    """A track of which only its upload is known."""
    return TrackView(**({"id": TrackId(track_id), "status": "uploaded", "file_name": "song.mp3"} | said))


HASH = ContentHash("ab" * 32)
ADMIN = UserId("admin")
