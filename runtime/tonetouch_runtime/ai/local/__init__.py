"""The embedded AI engines: deterministic, offline, and honest about being local (the extra `ai-local`).

Importing this needs no extra; the first call does, and says so with `EngineMissing`.
"""

from tonetouch_runtime.ai.local.engines import Embedded, LocalEngines
from tonetouch_runtime.ai.local.errors import (
    EngineChanged,
    EngineMissing,
    FactsRefused,
    ImageRefused,
    InputRefused,
    LocalEngineError,
)
from tonetouch_runtime.ai.local.grounding import Dropped, check
from tonetouch_runtime.ai.local.writing import BadPattern, Pattern, Template, write_from_facts
from tonetouch_runtime.ai.local.written import Fact, Sentence, Written

__all__ = [
    "BadPattern",
    "Dropped",
    "Embedded",
    "EngineChanged",
    "EngineMissing",
    "Fact",
    "FactsRefused",
    "ImageRefused",
    "InputRefused",
    "LocalEngineError",
    "LocalEngines",
    "Pattern",
    "Sentence",
    "Template",
    "Written",
    "check",
    "write_from_facts",
]
