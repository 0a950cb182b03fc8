"""AI calls: what is asked of a model, who answers, and what is kept of it."""

from tonetouch_runtime.ai.asking import MOST_TEXTS, Embedded, Generated, TextToEmbed
from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable

__all__ = ["MOST_TEXTS", "AIInputRefused", "AIUnavailable", "Embedded", "Generated", "TextToEmbed"]
