"""The pages in a real browser: what a person sees after opening them, and what their buttons do.

It is the Chromium of the machine's packages (`apt-get install chromium`); without it these tests are skipped.
"""

import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, async_playwright, expect

from tests.gateway.ledger import job, usage_line
from tests.gateway.operating import standing
from tests.gateway.standins import TOKEN, Installation
from tests.gateway.stories import park, parked, story
from tonetouch_contracts.ledger import SetBudget, ShowUsage, Usage
from tonetouch_contracts.upload import RetryIngest

CHROMIUM = shutil.which("chromium")
# What a browser says to the world at its start is not wanted here.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE_MS = 20_000

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed on this machine"),
]
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(name="gives_up_soon", autouse=True)
def _gives_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers that fail are parked after the second attempt."""
    monkeypatch.setattr("tonetouch_runtime._hearing.FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr("tonetouch_runtime._hearing.ATTEMPTS", 2)


@pytest_asyncio.fixture(loop_scope="package", name="page")
async def _page(installed: Installation) -> AsyncIterator[Page]:
    """An empty tab. What goes wrong in it fails the test: an error of a script, a request to anywhere else."""
    wrong: list[str] = []
    async with async_playwright() as playwright:
        # A test machine's root has no sandbox to be put in.
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET, chromium_sandbox=False)
        page = await browser.new_page(base_url=str(installed.client.base_url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: _note_stranger(wrong, request.url, str(installed.client.base_url)))
        yield page
        await browser.close()
    assert wrong == []


def _note_stranger(wrong: list[str], url: str, own: str) -> None:
    if not url.startswith((own, "data:")):
        wrong.append(f"asked for {url}")


async def enter(page: Page, address: str) -> None:
    """Open a page as somebody who has the token."""
    await page.goto(address)
    await page.get_by_label("Admin token").fill(TOKEN)
    await page.get_by_role("button", name="Open").click()
    await expect(page.locator("#when")).to_contain_text("as of")


def row(page: Page, section: str, words: str) -> Locator:
    return page.locator(f"#{section} tbody tr").filter(has_text=words)


@pytest.mark.parametrize("address", ["/operations", "/ledger"])
async def test_a_wrong_token_is_told_and_the_right_one_stays_in_the_tab(page: Page, address: str) -> None:
    """Reading the page again does not ask for it; forgetting it shows nothing more."""
    await page.goto(address)
    await page.get_by_label("Admin token").fill("wrong")
    await page.get_by_role("button", name="Open").click()
    await expect(page.locator("#door-problem")).not_to_be_empty()
    await expect(page.locator("#main")).to_be_hidden()
    await enter(page, address)
    await page.reload()
    await expect(page.locator("#when")).to_contain_text("as of")
    await page.get_by_role("button", name="Forget token").click()
    await expect(page.locator("#main")).to_be_hidden()
    await page.reload()
    await expect(page.get_by_label("Admin token")).to_be_visible()


async def test_operations_show_streams_parts_and_what_nobody_did(installed: Installation, page: Page) -> None:
    """With a sentence where there is nothing."""
    await story(installed, "seen-in-a-browser")
    await enter(page, "/operations")
    await expect(row(page, "streams", "CATALOG").first).to_contain_text("truth")
    await expect(row(page, "lag", "ingest-starting")).to_contain_text("listener")
    await expect(page.locator("#parked")).to_have_text("Nothing is parked.")
    await expect(page.locator("#board")).to_have_text("Nothing was uploaded yet.")
    await expect(page.locator("#alarm")).to_be_hidden()


async def test_the_board_shows_each_upload_at_its_step_and_sends_a_failed_one_on(
    installed: Installation, page: Page
) -> None:
    """The stuck one on top; retrying asks ingest."""
    views = [
        standing("fine", "analyse"),
        standing("broken", "embed", "failed", status="failed", reason="no model"),
        standing("hangs", "fingerprint"),
    ]
    installed.services.ingests.update({view.track_id: view for view in views})
    installed.services.stuck.add("hangs")
    await enter(page, "/operations")
    await expect(page.locator("#board tbody tr")).to_contain_text(["hangs.mp3", "broken.mp3", "fine.mp3"])
    await expect(row(page, "board", "hangs.mp3")).to_contain_text("stuck at fingerprint")
    await expect(row(page, "board", "broken.mp3")).to_contain_text("no model")
    async with page.expect_response(re.compile("/ingest/broken/retry$")):
        await row(page, "board", "broken.mp3").get_by_role("button", name="retry").click()
    assert installed.services.last(RetryIngest).track_id == "broken"


async def test_a_story_is_drawn(installed: Installation, page: Page) -> None:
    """An event is a row with its service, and every event but the first has a line from its cause."""
    await story(installed, "drawn")
    await enter(page, "/operations")
    await page.get_by_label("Id", exact=True).fill("drawn")
    await page.get_by_role("button", name="Show its story").click()
    picture = page.locator("#story-picture svg")
    await expect(picture.locator("g circle")).to_have_count(4)
    await expect(picture.locator("path.cause")).to_have_count(3)
    await expect(picture).to_contain_text("ingest.completed")
    boxes = [box for one in await picture.locator("g circle").all() if (box := await one.bounding_box())]
    assert [box["y"] for box in boxes] == sorted(box["y"] for box in boxes)
    await page.get_by_role("button", name="Close").click()
    await expect(picture).to_be_hidden()


async def test_a_parked_event_is_read_and_passed_over_for_a_reason(installed: Installation, page: Page) -> None:
    """The reason is asked for, kept, and shown in the record; the event is gone from the page."""
    await park(installed, "parked-here")
    await enter(page, "/operations")
    await row(page, "parked", "parked-here").get_by_title("Show it").click()
    await expect(page.locator("#event-rows pre")).to_contain_text('"track_id":"parked-here"')
    await page.locator("#event").get_by_role("button", name="Close").click()
    await row(page, "parked", "parked-here").get_by_role("button", name="redrive").click()
    await page.get_by_label("Reason, for the record").fill("perhaps now")
    await page.get_by_role("button", name="Do it").click()
    await expect(page.locator("#why-problem")).to_contain_text("failed again")
    await page.get_by_role("button", name="Leave it").click()
    await row(page, "parked", "parked-here").get_by_role("button", name="skip").click()
    await page.get_by_label("Reason, for the record").fill("it was a test")
    await page.get_by_role("button", name="Do it").click()
    await expect(page.locator("#parked")).to_have_text("Nothing is parked.")
    await expect(row(page, "record", "it was a test").first).to_contain_text("skip")
    assert await parked(installed, "parked-here") == []


async def test_a_service_that_is_away_does_not_empty_the_page(installed: Installation, page: Page) -> None:
    """What it would have said is missing, with a sentence; the rest is there."""
    await enter(page, "/operations")
    await page.route(re.compile("operations/parked"), lambda route: route.fulfill(status=503, json={"title": "Away"}))
    await page.get_by_role("button", name="Refresh").click()
    await expect(page.locator("#parked .problem")).to_be_visible()
    await expect(row(page, "streams", "CATALOG").first).to_be_visible()


async def test_the_ledger_draws_what_was_spent_and_tells_a_call(installed: Installation, page: Page) -> None:
    """A bar for each feature of a day; one of the latest calls in full."""
    today = datetime.now(UTC).date().isoformat()
    lines = tuple(usage_line(today, feature, calls=2, cost_pico_usd=10**12) for feature in ("dj.talk", "ingest.embed"))
    total = usage_line(calls=4, succeeded=4, cost_pico_usd=2 * 10**12)
    ledger = installed.services.ledger
    ledger.answers[ShowUsage] = Usage(group_by=("day", "feature"), lines=lines, total=total, source="roll_ups")
    ledger.jobs.append(job(id="job-7", cost_pico_usd=5, recorded_at="2026-11-22T10:00:00Z"))
    await enter(page, "/ledger")
    await expect(page.locator("#cost g.trace.bars")).to_have_count(2)
    await expect(page.locator("#totals")).to_contain_text("$2")
    await page.get_by_title("Show the call job-7").click()
    await expect(page.locator("#job-rows")).to_contain_text("ingest.embed")


async def test_a_budget_is_set_and_taken_away(installed: Installation, page: Page) -> None:
    """The amount goes to the ledger as it was typed, to the last digit."""
    await enter(page, "/ledger")
    await page.get_by_label("named").fill("dj.talk")
    await page.get_by_label("USD a day").fill("0.000000000007")
    await page.get_by_role("button", name="Set", exact=True).click()
    await expect(row(page, "budgets", "dj.talk")).to_be_visible()
    assert installed.services.ledger.last(SetBudget).limit_pico_usd == 7
    async with page.expect_response(re.compile("/ai/budgets$")):
        await row(page, "budgets", "dj.talk").get_by_role("button", name="take away").click()
    assert installed.services.ledger.last(SetBudget).limit_pico_usd is None
