"""The embedded AI engines: deterministic, offline, and honest about being local (the extra `ai-local`, for speech
`ai-local-speech` too).

Importing this needs no extra; the first call does, and says so with `EngineMissing`.
"""

from tonetouch_runtime.ai.local.engines import Embedded, LocalEngines
from tonetouch_runtime.ai.local.errors import (
    AudioRefused,
    EngineChanged,
    EngineFailed,
    EngineMissing,
    FactsRefused,
    ImageRefused,
    InputRefused,
    LocalEngineError,
    TextRefused,
)
from tonetouch_runtime.ai.local.grounding import Dropped, check
from tonetouch_runtime.ai.local.writing import BadPattern, Pattern, Template, write_from_facts
from tonetouch_runtime.ai.local.written import Fact, Sentence, Written

__all__ = [
    "AudioRefused",
    "BadPattern",
    "Dropped",
    "Embedded",
    "EngineChanged",
    "EngineFailed",
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
    "TextRefused",
    "Written",
    "check",
    "write_from_facts",
]
