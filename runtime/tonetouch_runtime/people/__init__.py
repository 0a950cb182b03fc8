"""The keys of people, and what is sealed with them: once a key is destroyed, what its person said cannot be read."""

from tonetouch_runtime.people.keys import ERASED, Keys
from tonetouch_runtime.people.sealing import NOBODY, People

__all__ = ["ERASED", "NOBODY", "Keys", "People"]
