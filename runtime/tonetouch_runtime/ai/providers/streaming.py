"""A text that comes in pieces: what has been heard so far, and how it ends."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from tonetouch_runtime.ai.errors import ProviderFailed
from tonetouch_runtime.ai.providers.provider import Ended, Piece, Reply, Text
from tonetouch_runtime.ai.providers.server_sent_events import EventTooLong, events
from tonetouch_runtime.ai.providers.wire import Answered, Asked, Headed, Opened, Wire
from tonetouch_runtime.ai.tasks import ChatResult
from tonetouch_runtime.ai.usage import Usage


@dataclass(kw_only=True)
class Heard:
    """All that a stream has said. `usage` are the provider's counts, later ones laid over earlier ones."""

    texts: list[str] = field(default_factory=list)
    usage: dict[str, object] | None = None
    model: str | None = None
    request_id: str | None = None
    finish_reason: str | None = None
    ended: bool = False

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.texts)

    def count(self, usage: object) -> None:
        """Lay counts over those heard before; a null takes nothing away."""
        if isinstance(usage, dict):
            self.usage = (self.usage or {}) | {name: value for name, value in usage.items() if value is not None}


class Ear(Protocol):
    """One dialect of streams."""

    def hear(self, heard: Heard, event: object) -> str:
        """Take in an event and give back what it adds to the text. Raises for an event that says what went wrong."""
        ...

    def usage(self, heard: Heard, *, cut: bool) -> Usage:
        """What is known to be used, at the end or at the cut."""
        ...


async def stream_text(
    wire: Wire, asked: Asked, ear: Ear, *, seconds: float, whole: Callable[[Answered], Reply]
) -> AsyncGenerator[Piece, None]:
    """The pieces of a text. `seconds` bounds the wait for each event; `whole` reads an answer that is no stream.

    Raises ProviderFailed with the text and the usage there were: ``cut`` for an end without its mark.
    """
    heard = Heard()
    try:
        async with wire.opened(asked, seconds=seconds) as opened:
            if opened.headed.is_json:  # some models answer at once, whatever they are asked
                reply = whole(await opened.whole())
                if isinstance(reply.result, ChatResult) and reply.result.text:
                    yield Text(reply.result.text)
                yield Ended(reply)
                return
            async with aclosing(_heard(opened, seconds)) as said:
                async for event in said:
                    if event == "[DONE]":
                        heard.ended = True
                        break
                    if more := ear.hear(heard, _decoded(opened.headed, event)):
                        heard.texts.append(more)
                        yield Text(more)
            if not (heard.ended or heard.finish_reason):
                raise ProviderFailed("cut", f"{opened.headed.provider}: the stream ended before its end")
            await opened.drain()
            yield Ended(_reply(opened.headed, heard, ear.usage(heard, cut=False)))
    except ProviderFailed as failed:
        if failed.usage is None and failed.reached and (heard.texts or heard.usage or failed.failure == "cut"):
            failed.usage = ear.usage(heard, cut=True)
        failed.text = failed.text or heard.text
        failed.request_id = failed.request_id or heard.request_id
        raise


async def _heard(opened: Opened, seconds: float) -> AsyncGenerator[str, None]:
    headed = opened.headed
    if headed.media_type != "text/event-stream":
        raise headed.nonsense(f"a stream was expected and {headed.media_type[:80] or 'something unnamed'} came")
    async with aclosing(events(opened.chunks())) as said:
        while (event := await _next(headed, said, seconds)) is not None:
            yield event


async def _next(headed: Headed, said: AsyncGenerator[str, None], seconds: float) -> str | None:
    try:
        async with asyncio.timeout(seconds):
            return await anext(said, None)
    except TimeoutError:
        raise ProviderFailed("timeout", f"{headed.provider} said nothing for {seconds:g} s") from None
    except EventTooLong:
        raise headed.nonsense("an event has no end") from None


def _decoded(headed: Headed, event: str) -> object:
    try:
        document: object = msgspec.json.decode(event)
    except (ValueError, RecursionError):
        raise headed.nonsense("an event of the stream is not JSON") from None
    return document


def _reply(headed: Headed, heard: Heard, usage: Usage) -> Reply:
    return Reply(
        result=ChatResult(text=heard.text),
        usage=usage,
        model=heard.model,
        request_id=headed.request_id or heard.request_id,
        gateway_log_id=headed.gateway_log_id,
        http_status=headed.status,
        finish_reason=heard.finish_reason,
    )
