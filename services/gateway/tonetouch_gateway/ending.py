"""When the story of an upload is over: nothing more will be said about it."""

from typing import Self

import msgspec

from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import (
    AboutWritten,
    IngestCompleted,
    IngestFailed,
    IngestRetried,
    RelationRuled,
    StepFailed,
    StepSkipped,
)


class Ending(msgspec.Struct, frozen=True):
    """Whether the upload was completed, whether it was given up, and whether 'About' has been settled."""

    completed: bool = False
    rejected: bool = False
    given_up: bool = False
    about_settled: bool = False

    @property
    def is_reached(self) -> bool:
        """Nothing more comes by itself; a retry begins the story again."""
        return self.given_up or self.rejected or (self.completed and self.about_settled)

    def evolve(self, event: Event) -> Self:
        """The state after one more event of INGEST."""
        match event:
            case IngestCompleted(outcome=outcome):
                return msgspec.structs.replace(self, completed=True, rejected=outcome == "rejected")
            case IngestFailed():
                return msgspec.structs.replace(self, given_up=True)
            case IngestRetried(step="write_about"):
                return msgspec.structs.replace(self, given_up=False, about_settled=False)
            case IngestRetried():
                return msgspec.structs.replace(self, given_up=False)
            case RelationRuled(reopens=steps) if steps:
                return msgspec.structs.replace(self, completed=False, about_settled="write_about" not in steps)
            case AboutWritten() | StepSkipped(step="write_about") | StepFailed(step="write_about", final=True):
                return msgspec.structs.replace(self, about_settled=True)
        return self
