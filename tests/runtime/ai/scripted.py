"""A provider that does what a test tells it, call by call."""

from collections.abc import AsyncGenerator, Mapping, Sequence

from tonetouch_runtime.ai.providers import Ended, Piece, Reply, Target, Text
from tonetouch_runtime.ai.tasks import AnyRequest, Chat, ChatResult, Speech
from tonetouch_runtime.ai.usage import Usage, tokens

Part = str | Exception


class Scripted:
    """Answers with the next act: a text, an exception, or for a stream its parts (the last may be an exception).

    When the acts are used up the last one is repeated.
    """

    gateway: str | None = None

    def __init__(self, name: str, *acts: Part | Sequence[Part]) -> None:
        self.name = name
        self.acts = list(acts)
        self.asked: list[str] = []

    async def call(self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None) -> Reply:
        match self._next(target):
            case str() as text:
                return _reply(target, text)
            case Exception() as error:
                raise error
        raise AssertionError("this act is for a stream")

    async def stream(
        self, target: Target, request: Chat | Speech, *, about: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Piece, None]:
        act = self._next(target)
        parts: Sequence[Part] = [act] if isinstance(act, str | Exception) else act
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield Text(part)
        yield Ended(_reply(target, "".join(str(part) for part in parts)))

    async def close(self) -> None: ...

    def _next(self, target: Target) -> Part | Sequence[Part]:
        self.asked.append(target.name)
        return self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]


def _reply(target: Target, text: str) -> Reply:
    usage = Usage(quantities=tokens(prompt=100, completion=len(text.split())), source="reported")
    return Reply(result=ChatResult(text=text), usage=usage, model=target.model, http_status=200, finish_reason="stop")
