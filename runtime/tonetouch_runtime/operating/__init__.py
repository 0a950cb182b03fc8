"""What every service answers its operators: how far it is, what it has parked, and what to do about it."""

from tonetouch_runtime.operating.answers import Operating
from tonetouch_runtime.operating.parts import Heard, Parts, bound, one_per_name

__all__ = ["Heard", "Operating", "Parts", "bound", "one_per_name"]
