"""Why a file could not be listened to.

ListeningFailed
├── AudioRefused       the file is at fault; trying again will not help
│   ├── NotAudio       no sound in it that we can read
│   ├── BrokenAudio    sound, but cut off or damaged
│   ├── TooShort       less than `SHORTEST_SECONDS`
│   └── TooLong        more than `LONGEST_SECONDS`
└── WorkFailed         the work is at fault
    ├── WorkerDied     the process was killed or crashed
    ├── TookTooLong    the time limit passed
    ├── OutOfMemory    the memory limit was reached
    └── TaskFailed     the task raised something nobody expected: a bug
"""

from typing import Final

SHORTEST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 6 * 3600.0


class ListeningFailed(Exception):
    """Nothing was heard. `reason` is a sentence for the person who sent the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AudioRefused(ListeningFailed):
    """The file cannot be taken as it is."""


class NotAudio(AudioRefused):
    """There is no sound in the file that could be read: empty, text, a picture, a video without sound."""


class BrokenAudio(AudioRefused):
    """The file is an audio file, and a part of it is missing or damaged."""


class TooShort(AudioRefused):
    """The sound is shorter than `SHORTEST_SECONDS`."""


class TooLong(AudioRefused):
    """The sound is longer than `LONGEST_SECONDS`."""


class WorkFailed(ListeningFailed):
    """Nothing is known about the file: the process that listened to it did not come back with an answer."""


class WorkerDied(WorkFailed):
    """The worker process ended in the middle of the task."""


class TookTooLong(WorkFailed):
    """The worker process was killed because its time was over."""


class OutOfMemory(WorkFailed):
    """The task asked for more memory than a worker may hold."""


class TaskFailed(WorkFailed):
    """The task raised an unexpected error; `reason` names it."""


REFUSALS: Final[dict[str, type[AudioRefused]]] = {
    refusal.__name__: refusal for refusal in (NotAudio, BrokenAudio, TooShort, TooLong)
}
