"""An installation's account on the shared server, and connections to it as anybody who has a name there."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import nats
from nats.aio.client import Client

from tests.servers import Tenant
from tonetouch_contracts import manifest
from tonetouch_deploy.nats_accounts import PROVISIONING, READER
from tonetouch_runtime.provisioning import apply

SECONDS = 10.0
NEVER = "never.allowed"
"""A subject that nobody may publish to: when the server has said so, it has said all there was before."""


@dataclass
class Visitor:
    """A connection in a role, and what the server has refused it."""

    client: Client
    refused: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def not_refused(self, subjects: Iterable[str]) -> list[str]:
        """Those subjects to which the server takes a message."""
        asked = list(subjects)
        for subject in asked:
            await self.client.publish(subject, b"{}")
        refused = await self._said()
        return [subject for subject in asked if not _is_among(subject, refused)]

    async def heard(self, subjects: Iterable[str]) -> list[str]:
        """Those subjects which the server lets it listen to."""
        asked = list(subjects)
        for subject in asked:
            await self.client.subscribe(subject)
        refused = await self._said()
        return [subject for subject in asked if not _is_among(subject, refused)]

    async def settled(self) -> None:
        """Return when the server knows what this one listens to, and has what it sent."""
        # The client's ping overtakes what still waits to be sent: only the second one comes behind it.
        await self.client.flush()
        await self.client.flush()

    async def is_refused(self, subject: str) -> bool:
        """Whether the server refuses a message to a subject."""
        return await self.not_refused([subject]) == []

    async def _said(self) -> list[str]:
        """What was refused up to now; the next question begins anew."""
        await self.client.publish(NEVER, b"")
        async with asyncio.timeout(SECONDS):
            while not _is_among(NEVER, self.refused):
                self.changed.clear()
                await self.changed.wait()
        said = self.refused[:]
        self.refused.clear()
        return said


def _is_among(subject: str, refused: list[str]) -> bool:
    # The client tells it in lower case.
    return any(f'"{subject.lower()}"' in words.lower() for words in refused)


@asynccontextmanager
async def visiting(home: Tenant, role: str) -> AsyncIterator[Visitor]:
    """A connection in one role; other teams' reader comes with the inbox that clients have by themselves."""
    refused: list[str] = []
    changed = asyncio.Event()

    async def note(error: Exception) -> None:
        refused.append(str(error))
        changed.set()

    user = home.user.replace("{service}", role)
    prefix = "_INBOX" if role == READER else f"_INBOX_{role}"
    url = home.url.rpartition("@")[2]
    client = await nats.connect(url, user=user, password=home.password, inbox_prefix=prefix, error_cb=note)
    try:
        yield Visitor(client, refused, changed)
    finally:
        await client.close()


async def furnish(home: Tenant) -> None:
    """Every stream and consumer of the manifest, made by the role that provisions."""
    async with visiting(home, PROVISIONING) as visitor:
        await apply(visitor.client.jetstream(), manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
        assert visitor.refused == []
