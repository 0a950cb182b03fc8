"""The upload: where one file stands on its way to become a track. Pure; every fact comes from INGEST."""

from typing import Self, get_args

import msgspec

from tonetouch_contracts.identity import JobId, TrackId
from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import (
    AboutWanted,
    AboutWritten,
    AudioAnalysed,
    AudioCompared,
    AudioFingerprinted,
    AudioStaged,
    CoverDescribed,
    DuplicateDetected,
    EmbeddingDone,
    IngestCompleted,
    IngestFailed,
    IngestRetried,
    IngestStarted,
    RelationRuled,
    StepFailed,
    StepName,
    StepSkipped,
    StepStarted,
    StepState,
)

STEPS: tuple[StepName, ...] = get_args(StepName)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one upload. `attempts` counts for ever, `tries` since somebody last asked for a retry."""

    state: StepState = "waiting"
    attempts: int = 0
    tries: int = 0
    error: str | None = None
    job_id: JobId | None = None


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload and everything found out about it so far."""

    started: IngestStarted | None = None
    staged: AudioStaged | None = None
    fingerprinted: AudioFingerprinted | None = None
    duplicate: DuplicateDetected | None = None
    compared: AudioCompared | None = None
    analysed: AudioAnalysed | None = None
    described: CoverDescribed | None = None
    wanted: AboutWanted | None = None
    about: AboutWritten | None = None
    failed: IngestFailed | None = None
    completed: IngestCompleted | None = None
    ruled: RelationRuled | None = None
    steps: dict[StepName, Step] = msgspec.field(default_factory=lambda: dict.fromkeys(STEPS, Step()))

    def evolve(self, event: Event) -> Self:
        """The upload after this event."""
        match event:
            case IngestStarted():
                return self._with(started=event)
            case StepStarted():
                return self._begin(event)
            case StepFailed():
                return self._step(event.step, state="failed", error=event.error)
            case StepSkipped():
                return self._step(event.step, state="skipped", error=None)
            case IngestFailed():
                return self._with(failed=event)
            case IngestRetried():
                return self._step(event.step, state="waiting", tries=0)._with(failed=None)
            case RelationRuled():
                return self._rule(event)
            case IngestCompleted(outcome="rejected"):
                return self._with(completed=event)
            case IngestCompleted():
                return self._done("publish", completed=event)
            case _:
                return self._found(event)

    @property
    def track_id(self) -> TrackId:
        """The id the upload was given; only asked of one that has started."""
        assert self.started is not None, "an upload that never started has no id"
        return self.started.track_id

    @property
    def is_over(self) -> bool:
        """Whether catalog knows how it ended, or a step gave up."""
        return self.completed is not None or self.failed is not None

    @property
    def is_rejected(self) -> bool:
        """Whether the file itself was at fault."""
        return self.failed is not None and self.failed.rejected

    @property
    def duplicate_of(self) -> TrackId | None:
        """Whose recording it is: by a person's word, else by what was found."""
        if self.ruled is not None:
            return self.ruled.of if self.ruled.relation == "duplicate" else None
        return self.duplicate.of if self.duplicate is not None else None

    def is_settled(self, step: StepName) -> bool:
        """Whether nothing more will happen in this step."""
        return self.steps[step].state in ("done", "skipped")

    def _found(self, event: Event) -> Self:
        """What was found out: most of it ends a step."""
        match event:
            case AudioStaged():
                return self._done("stage", staged=event)
            case AudioFingerprinted():
                return self._done("fingerprint", fingerprinted=event)
            case DuplicateDetected():
                return self._done("dedupe", duplicate=event)
            case AudioCompared():
                return self._done("dedupe", compared=event)
            case AudioAnalysed():
                return self._done("analyse", analysed=event)
            case EmbeddingDone(kind="description"):
                # All vectors of a track are said at once, the description's last.
                return self._done("embed")
            case CoverDescribed():
                return self._done("describe_cover", described=event)
            case AboutWanted():
                # The step runs on: somebody else writes.
                return self._with(wanted=event)
            case AboutWritten():
                return self._done("write_about", about=event)
        return self

    def _rule(self, event: RelationRuled) -> Self:
        """What a person said; where steps wait again, the upload is under way again and no duplicate."""
        ruled = self._with(ruled=event)
        for step in event.reopens:
            ruled = ruled._step(step, state="waiting", tries=0, error=None)
        return ruled._with(duplicate=None, completed=None, failed=None) if event.reopens else ruled

    def _begin(self, event: StepStarted) -> Self:
        before = self.steps[event.step]
        return self._step(
            event.step, state="running", attempts=event.attempt, tries=before.tries + 1, job_id=event.job_id
        )

    def _done(self, step: StepName, **facts: Event) -> Self:
        return self._step(step, state="done", error=None)._with(**facts)

    def _step(self, name: StepName, **changes: object) -> Self:
        return self._with(steps={**self.steps, name: msgspec.structs.replace(self.steps[name], **changes)})

    def _with(self, **changes: object) -> Self:
        return msgspec.structs.replace(self, **changes)
