"""One attempt at one step of one upload: what a step's function is given."""

import msgspec

from tonetouch_contracts.identity import JobId, TrackId
from tonetouch_contracts.track import Audio
from tonetouch_contracts.upload import AudioStaged, StepName
from tonetouch_ingest.upload import Upload
from tonetouch_runtime import Task
from tonetouch_runtime.ai import Whose


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The upload as it stood when the attempt began; everything the step waits for is known."""

    step: StepName
    number: int
    job_id: JobId
    upload: Upload
    task: Task

    @property
    def track_id(self) -> TrackId:
        return self.upload.track_id

    @property
    def staged(self) -> AudioStaged:
        """What staging found; only asked by steps that wait for it."""
        assert self.upload.staged is not None, f"{self.step} ran before stage"
        return self.upload.staged

    @property
    def audio(self) -> Audio:
        return self.staged.audio

    @property
    def feature(self) -> str:
        """What the ledger files the attempt under."""
        return f"ingest.{self.step}"

    @property
    def subject(self) -> str:
        """Whom the ledger bills."""
        return f"track:{self.track_id}"

    @property
    def whose(self) -> Whose:
        """What a model is asked for, and with which patience."""
        return Whose(
            feature=self.feature,
            subject=self.subject,
            job_id=self.job_id,
            attempt=self.number,
            priority="ingest",
        )
