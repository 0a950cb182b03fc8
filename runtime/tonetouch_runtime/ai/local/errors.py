"""What can go wrong in the embedded engines.

::

    TonetouchError
    └── LocalEngineError
        ├── EngineMissing   the optional extra is not installed (also Misconfigured)
        ├── EngineChanged   the installed weights are not the ones this version was built on (also Misconfigured)
        └── InputRefused    this input will never be answered
            ├── ImageRefused    the bytes are not an image that can be read within the bounds
            └── FactsRefused    the facts cannot be told apart, or are too many (also ValueError)
"""

from tonetouch_runtime.errors import Misconfigured, TonetouchError

EXTRA = "pip install tonetouch-runtime[ai-local]"


class LocalEngineError(TonetouchError):
    """Something an embedded engine refuses to do, in words a person can read."""


class EngineMissing(LocalEngineError, Misconfigured):
    """A package of the extra `ai-local` is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"The embedded AI engines need the package {package!r}; install them with: {EXTRA}")
        self.package = package


class EngineChanged(LocalEngineError, Misconfigured):
    """The installed weights differ from the pinned ones: vectors would silently stop matching those already kept."""


class InputRefused(LocalEngineError):
    """An engine will never answer this input; another one it may."""


class ImageRefused(InputRefused):
    """The bytes are no image of a known format, or larger than is decoded."""


class FactsRefused(InputRefused, ValueError):
    """Two facts share an id, or there are more than a writer takes."""
