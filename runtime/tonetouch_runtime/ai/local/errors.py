"""What can go wrong in the embedded engines.

::

    TonetouchError
    └── LocalEngineError
        ├── EngineMissing   the optional extra is not installed (also Misconfigured)
        ├── EngineChanged   the installed weights are not the ones this version was built on (also Misconfigured)
        ├── EngineFailed    an engine died or took too long over one input
        └── InputRefused    this input will never be answered
            ├── ImageRefused    the bytes are not an image that can be read within the bounds
            ├── TextRefused     the text is empty, or longer than is read
            ├── AudioRefused    the bytes are not a recording that can be read within the bounds
            └── FactsRefused    the facts cannot be told apart, or are too many (also ValueError)
"""

from tonetouch_runtime.errors import Misconfigured, TonetouchError

EXTRA = "pip install tonetouch-runtime[{extra}]"


class LocalEngineError(TonetouchError):
    """Something an embedded engine refuses to do, in words a person can read."""


class EngineMissing(LocalEngineError, Misconfigured):
    """A package of the extra `ai-local`, or of the one named, is not installed."""

    def __init__(self, package: str, *, extra: str = "ai-local") -> None:
        how = EXTRA.format(extra=extra)
        super().__init__(f"The embedded AI engines need the package {package!r}; install them with: {how}")
        self.package = package


class EngineChanged(LocalEngineError, Misconfigured):
    """The installed weights differ from the pinned ones: vectors would silently stop matching those already kept."""


class EngineFailed(LocalEngineError):
    """An engine in a process of its own died, or was stopped as it took too long. The next input gets a new process."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class InputRefused(LocalEngineError):
    """An engine will never answer this input; another one it may."""


class ImageRefused(InputRefused):
    """The bytes are no image of a known format, or larger than is decoded."""


class TextRefused(InputRefused):
    """There is nothing to read in the text, or more than is read."""


class AudioRefused(InputRefused):
    """The bytes are no recording of a known format, or longer than is listened to."""


class FactsRefused(InputRefused, ValueError):
    """Two facts share an id, or there are more than a writer takes."""
