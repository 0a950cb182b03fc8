"""Who is on the bus: which streams a service reads and whom it asks. What it owns and hears, the manifest says.

The permissions of every service are made from these two. What is not said here is refused by the server.
"""

import msgspec

from tonetouch_contracts.manifest import CONSUMERS, STREAMS

ANYBODY = "every service"
"""The owner of what each service may append to."""


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A service: the streams of truth it reads (tables it keeps, entities it loads), and the services it asks."""

    name: str
    reads: tuple[str, ...]
    asks: tuple[str, ...] = ()

    @property
    def streams_read(self) -> tuple[str, ...]:
        """All streams of truth it reads: the declared ones, those it hears, and those it may append to."""
        heard = {consumer.stream for consumer in CONSUMERS if consumer.owner == self.name}
        return tuple(
            stream.name
            for stream in STREAMS
            if stream.name in self.reads or stream.name in heard or stream.owner in (self.name, ANYBODY)
        )


# Whoever calls a model asks ai-ledger what was spent of a budget. The gateway shows operators a track's whole story.
PARTIES: tuple[Party, ...] = (
    Party(name="catalog", reads=("CATALOG", "LIBRARY", "INGEST"), asks=("ai-ledger",)),
    Party(name="ingest", reads=("INGEST", "CATALOG"), asks=("catalog", "recommend", "ai-ledger")),
    Party(name="recommend", reads=("RECOMMEND", "CATALOG", "INGEST", "LIBRARY"), asks=("ingest", "ai-ledger")),
    Party(name="agents", reads=("AGENTS", "CATALOG"), asks=("ai-ledger",)),
    Party(name="ai-ledger", reads=("AI",), asks=("ai-ledger",)),
    Party(
        name="gateway",
        reads=tuple(stream.name for stream in STREAMS),
        asks=("catalog", "ingest", "recommend", "agents", "ai-ledger", "gateway"),
    ),
)


def party(name: str) -> Party | None:
    """The service of this name; none where nobody declares it."""
    return _PARTIES.get(name)


_PARTIES = {declared.name: declared for declared in PARTIES}
