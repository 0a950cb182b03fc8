"""Calls to models, in the words of OpenTelemetry's conventions for generative AI.

What a call cost is in neither: the ledger is the only record of that. The job's id leads from a span to its row there.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tonetouch_runtime._telemetry import current_cause
from tonetouch_runtime.telemetry import switch
from tonetouch_runtime.telemetry.hops import Hop
from tonetouch_runtime.telemetry.names import ANSWERED, CALL, FIRST_PIECE, WAITED, Key
from tonetouch_runtime.telemetry.spans import Kind

if TYPE_CHECKING:
    from tonetouch_runtime.ai.providers import Reply, Target


class ModelCall(Hop):
    """Around one call of a model."""

    __slots__ = ("_about", "_target")

    def __init__(self, target: "Target", about: Mapping[str, str]) -> None:
        labels = (target.provider, target.model, target.task)
        super().__init__(f"{target.task} {target.model}", Kind.CLIENT, current_cause(), metric=CALL, labels=labels)
        self._target = target
        self._about = about

    def __enter__(self) -> "ModelCall":
        super().__enter__()
        target, about = self._target, self._about
        self.note(Key.AI_OPERATION, target.task).note(Key.AI_PROVIDER, target.provider)
        self.note(Key.AI_MODEL, target.model)
        self.note(Key.AI_FEATURE, about.get("feature")).note(Key.AI_JOB, about.get("job"))
        return self

    def answered(self, reply: "Reply", *, waited_ms: float, first_piece_ms: float | None) -> None:
        """It came to this answer, after a wait for its turn; the first piece of a stream came so soon."""
        self.note(Key.AI_ANSWERED_BY, reply.model)
        self.note(Key.AI_INPUT_TOKENS, reply.usage.prompt_tokens)
        self.note(Key.AI_OUTPUT_TOKENS, reply.usage.completion_tokens)
        if counts := switch.counts:
            counts.time(WAITED, self._labels, waited_ms / 1000)
            if first_piece_ms is not None:
                counts.time(FIRST_PIECE, self._labels, first_piece_ms / 1000)


def calling(target: "Target", about: Mapping[str, str]) -> ModelCall:
    """Around sending a call to a model; `about` says for which feature and job."""
    return ModelCall(target, about)


def answered(task: str, feature: str, cache: str) -> None:
    """Somebody has an answer: from a model, from one that was kept, or from somebody else's call."""
    if switch.counts:
        switch.counts.add(ANSWERED, (task, feature, cache))
