"""What an operator meets: an ear that can be broken, and uploads that stand at a step."""

from dataclasses import dataclass, field
from typing import Any, get_args

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import TrackUploaded
from tonetouch_contracts.upload import IngestView, StepName, StepState, StepView
from tonetouch_runtime import Floor, Recorded, Router

LISTENER = "ingest-starting"
STEPS: tuple[StepName, ...] = get_args(StepName)


@dataclass
class Listening:
    """Ingest's ear for uploads: it cannot bear the files in `broken`, and notes the tracks of the others."""

    broken: set[str] = field(default_factory=set)
    heard: list[str] = field(default_factory=list)

    def hear(self, ingest: Router) -> None:
        """Have the service listen."""
        ingest.hears(TrackUploaded, consumer=LISTENER)(self._hear)

    def forget(self) -> None:
        """Be as new."""
        self.broken.clear()
        self.heard.clear()

    async def _hear(self, fact: Recorded[Any], _: Floor) -> None:
        if fact.event.file_name in self.broken:
            raise RuntimeError(f"{fact.event.file_name} is unbearable")
        self.heard.append(fact.event.track_id)


def standing(track: str, at: StepName | None, state: StepState = "running", **said: Any) -> IngestView:
    """An upload that stands at a step: those before it are done, those behind it wait; None: all are done."""
    place = len(STEPS) if at is None else STEPS.index(at)
    states: list[StepState] = [*["done"] * place, state, *["waiting"] * len(STEPS)]  # type: ignore[list-item]
    steps = tuple(StepView(name=name, state=was, attempts=1) for name, was in zip(STEPS, states, strict=False))
    same = {"status": "processing", "file_name": f"{track}.mp3", "started_at": "2026-01-01", "updated_at": "2026-01-02"}
    return IngestView(**({"track_id": TrackId(track), "steps": steps} | same | said))
