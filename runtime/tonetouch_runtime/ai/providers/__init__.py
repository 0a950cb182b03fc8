"""Who answers: one shape for every provider of models."""

from tonetouch_runtime.ai.providers.provider import Audio, Ended, Piece, Provider, Reply, Target, Text

__all__ = ["Audio", "Ended", "Piece", "Provider", "Reply", "Target", "Text"]
