"""AI calls: what is asked of a model, who answers, and what is kept of it."""

from tonetouch_runtime.ai.asking import MOST_TEXTS, Answered, Embedded, TextToEmbed, Whose
from tonetouch_runtime.ai.errors import AIBudgetSpent, AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.streaming import Streamed

__all__ = [
    "MOST_TEXTS",
    "AIBudgetSpent",
    "AIInputRefused",
    "AIUnavailable",
    "Answered",
    "Embedded",
    "ProviderFailed",
    "Streamed",
    "TextToEmbed",
    "Whose",
]
