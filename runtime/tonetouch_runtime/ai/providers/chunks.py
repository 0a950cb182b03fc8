"""Streams of chat in OpenAI's shape and in the native one of Workers AI, which come mixed.

A native chunk holds ``response`` (which may be a number or null) and padding that means nothing; OpenAI's holds
``choices`` with a ``delta``. Usage comes in the last chunks, or never.
"""

from tonetouch_runtime.ai.providers import usage as accounts
from tonetouch_runtime.ai.providers.document import as_text, at, text_at
from tonetouch_runtime.ai.providers.estimating import CountTokens, known
from tonetouch_runtime.ai.providers.failing import Door, failed_with, said_in
from tonetouch_runtime.ai.providers.finishing import finish_reason, inferred
from tonetouch_runtime.ai.providers.streaming import Heard
from tonetouch_runtime.ai.tasks import Chat, ChatResult
from tonetouch_runtime.ai.usage import Usage


class Chunks:
    """The ear for both."""

    def __init__(self, door: Door, request: Chat, count: CountTokens | None) -> None:
        self._door = door
        self._request = request
        self._count = count

    def hear(self, heard: Heard, event: object) -> str:
        """The text of one chunk. Raises for a chunk that tells an error."""
        if at(event, "error") or at(event, "errors"):
            raise failed_with(self._door, said_in(_encoded(event)), status=None)
        heard.count(at(event, "usage"))
        heard.model = heard.model or text_at(event, "model")
        heard.request_id = heard.request_id or text_at(event, "id")
        reason = finish_reason(at(event, "choices", 0, "finish_reason") or at(event, "finish_reason"))
        heard.finish_reason = reason or heard.finish_reason
        if at(event, "choices", 0) is not None:
            return as_text(at(event, "choices", 0, "delta", "content"))
        return as_text(at(event, "response"))

    def usage(self, heard: Heard, *, cut: bool) -> Usage:
        """What the last chunk said, else an estimate from what was asked and what came."""
        told = accounts.openai(heard.usage, cut=cut)
        if heard.finish_reason is None and not cut:  # the native form has no word for it
            heard.finish_reason = inferred(told, longest=self._request.max_tokens)
        return known(told, self._request, ChatResult(text=heard.text), self._count)


def _encoded(event: object) -> bytes:
    return as_text(event).encode()
