"""Who is on the bus: what a service declares to read and to ask exists, and is what its program does."""

import re
from pathlib import Path

import pytest

from tonetouch_contracts.documents.schemas import every_command
from tonetouch_contracts.manifest import STREAMS
from tonetouch_contracts.parties import PARTIES, Party, party

SERVICES = Path(__file__).parents[2] / "services"
ASKED = re.compile(r"\b(?:floor|bus)\.ask\(\s*([A-Z]\w+)\(")
"""A request with a command that is made on the spot, as nearly all are."""

each_party = pytest.mark.parametrize("declared", PARTIES, ids=lambda declared: declared.name)


@each_party
def test_a_party_names_what_there_is(declared: Party) -> None:
    """Streams of truth that are declared, and services that are."""
    assert set(declared.reads) <= {stream.name for stream in STREAMS}
    assert set(declared.asks) <= {other.name for other in PARTIES}
    assert party(declared.name) is declared


@each_party
def test_a_service_asks_whom_it_declares(declared: Party) -> None:
    """What a program asks and does not declare is refused by the server, where nobody sees it before a request fails.

    Whoever calls models asks ai-ledger for budgets, which is the runtime's business.
    """
    owner_of = {command.__name__: command.wire_name().partition(".")[0] for command in every_command()}
    asked = {
        owner_of[name]
        for file in (SERVICES / declared.name).rglob("*.py")
        for name in ASKED.findall(file.read_text(encoding="utf-8"))
        if name in owner_of and owner_of[name] != "every"
    }
    assert asked | {"ai-ledger"} <= set(declared.asks)


def test_requests_are_found_in_the_programs() -> None:
    """The test above sees what it looks for."""
    text = (SERVICES / "ingest/tonetouch_ingest/deduping.py").read_text(encoding="utf-8")
    assert "FindSounds" in ASKED.findall(text)
