"""The rows as CSV: all of them, every column, however many pages they fill."""

import csv
import io
from decimal import Decimal

import httpx
import pytest

from tests.gateway.ledger import job
from tests.gateway.standins import Installation
from tonetouch_contracts.job import Quantity
from tonetouch_contracts.ledger import ExportJobs
from tonetouch_gateway.exporting import COLUMNS

pytestmark = pytest.mark.asyncio(loop_scope="package")

PATH = "/api/v1/ai/jobs.csv"


async def test_every_row_is_there_once(installed: Installation) -> None:
    """Also those behind the first page; without rows there is the line with the names."""
    names = (await installed.client.get(PATH)).text
    assert names == ",".join(COLUMNS) + "\r\n"
    installed.services.ledger.jobs += [job(id=f"j{number}") for number in range(450)]
    answer = await installed.client.get(PATH, params={"feature": "f", "from": "2026-11-01"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == [f"j{number}" for number in range(450)]
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    pages = [command for command in installed.services.ledger.asked if isinstance(command, ExportJobs)]
    assert [command.which.feature for command in pages] == [None, "f", "f", "f"]


async def test_a_row_reads_back_as_it_was(installed: Installation) -> None:
    """Commas, quotes and line ends stay within their column; money is written out; unknown is empty, not zero."""
    used = Quantity(unit="token", direction="output", amount=3)
    error = 'said "no",\r\nthen – nothing'
    installed.services.ledger.jobs.append(
        job(cost_pico_usd=1, prompt_tokens=0, latency_ms=1.5, error=error, quantities=(used,))
    )
    [row] = csv.DictReader(io.StringIO((await installed.client.get(PATH)).text, newline=""))
    assert row["error"] == error
    assert (row["cost_usd"], Decimal(row["cost_usd"])) == ("0.000000000001", Decimal("1e-12"))
    assert (row["prompt_tokens"], row["completion_tokens"], row["latency_ms"]) == ("0", "", "1.5")
    assert row["quantities"].startswith('[{"unit":"token","direction":"output","amount":3')
    assert row["considered"] == ""


async def test_a_refusal_comes_before_the_first_byte(installed: Installation) -> None:
    """As a problem, not as a file with an error in it."""
    installed.services.ledger.pages_before_it_breaks = 0
    answer = await installed.client.get(PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


async def test_a_failure_on_the_way_breaks_off(installed: Installation) -> None:
    """A client that reads to the end is told that there was none."""
    installed.services.ledger.jobs += [job(id=f"j{number}") for number in range(450)]
    installed.services.ledger.pages_before_it_breaks = 2
    with pytest.raises(httpx.RemoteProtocolError):
        await installed.client.get(PATH)
