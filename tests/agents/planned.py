"""A language model whose answers are planned: a server that speaks like OpenAI, with what it was asked."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.servers import web_server

Numbers = dict[str, str]
Plan = Callable[[Numbers], str]

_FACT = re.compile(r"^\[([FT][0-9]+)\] (\w+): ", re.MULTILINE)


def saying(*sentences: tuple[str, str]) -> Plan:
    """Sentences as JSON, each with the names of the facts it cites, parted by spaces."""

    def plan(numbers: Numbers) -> str:
        said = [{"text": text, "facts": [numbers[name] for name in names.split()]} for text, names in sentences]
        return json.dumps({"sentences": said})

    return plan


def citing_everything(text: str) -> Plan:
    """One sentence that cites whatever there is: what a model does that only wants to be let through."""
    return lambda numbers: json.dumps({"sentences": [{"text": text, "facts": list(numbers.values())[:100]}]})


@dataclass
class Model:
    """What it answers, and what it was asked. While `gate` is closed nobody is answered."""

    plan: Plan = field(default_factory=lambda: saying(("It dates from 1998.", "year")))
    asked: list[dict[str, Any]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 200
    address: str = ""

    @property
    def contexts(self) -> list[str]:
        """The beginning of each request."""
        return [request["messages"][0]["content"] for request in self.asked]

    async def answer(self, request: Request) -> JSONResponse:
        body = await request.json()
        self.asked.append(body)
        await self.gate.wait()
        if self.status != 200:
            return JSONResponse({"error": {"message": "not now"}}, status_code=self.status)
        words = "\n".join(message["content"] for message in body["messages"])
        numbers = {name: number for number, name in reversed(_FACT.findall(words))}
        message = {"role": "assistant", "content": self.plan(numbers)}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse({"id": "1", "model": body["model"], "choices": [choice], "usage": usage})


@asynccontextmanager
async def planned_model() -> AsyncIterator[Model]:
    """A model on a free port; its gate is open."""
    model = Model()
    model.gate.set()
    app = Starlette(routes=[Route("/v1/chat/completions", model.answer, methods=["POST"])])
    async with web_server(app) as port:
        model.address = f"http://127.0.0.1:{port}/v1"
        yield model
        model.gate.set()
