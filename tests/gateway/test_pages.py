"""The pages: they need nothing but this server, say nothing by themselves, and keep the token to the tab."""

import re

import httpx
import pytest

from tests.gateway.standins import Installation
from tonetouch_gateway.showing import SECURITY_POLICY

pytestmark = pytest.mark.asyncio(loop_scope="package")

PAGES = ("/ledger", "/operations")


async def every_file(installed: Installation, page: str) -> dict[str, httpx.Response]:
    """The page and whatever it loads, and whatever that loads, asked for as a browser would: without the token."""
    waiting, found = [page], {}
    async with httpx.AsyncClient(base_url=installed.client.base_url, trust_env=False) as browser:
        while waiting:
            address = waiting.pop()
            answer = found[address] = await browser.get(address)
            text = "" if address.endswith(".min.js") else answer.text
            loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="(?!data:)([^"]+)"', text)
            loaded += [str(answer.url.join(name).path) for name in re.findall(r'(?:from|import) "([^"]+)"', text)]
            waiting += [one for one in loaded if one not in found]
    return found


@pytest.mark.parametrize(
    ("page", "needed"),
    [
        ("/ledger", {"/ledger/page.css", "/ledger/page.js", "/ledger/plots.js", "/ledger/plotly.min.js"}),
        ("/operations", {"/operations/page.js", "/operations/layout.js", "/ledger/asking.js", "/ledger/page.css"}),
    ],
)
async def test_everything_comes_from_this_server(installed: Installation, page: str, needed: set[str]) -> None:
    """Scripts, styles and plots: it works without a network."""
    files = await every_file(installed, page)
    assert needed <= files.keys()
    for address, answer in files.items():
        assert answer.status_code == 200, address
        assert address.startswith(PAGES)
        kind = {"css": "text/css", "js": "text/javascript"}.get(address.rpartition(".")[2], "text/html")
        assert answer.headers["content-type"].startswith(kind)
    assert ("/ledger/plotly.min.js" in files) is (page == "/ledger")


@pytest.mark.parametrize("page", PAGES)
async def test_a_browser_is_told_to_load_nothing_else(installed: Installation, page: str) -> None:
    """No script or style within the page, none from elsewhere, nobody may frame it, and its address tells nobody."""
    assert "unsafe" not in SECURITY_POLICY
    for answer in (await every_file(installed, page)).values():
        assert answer.headers["content-security-policy"] == SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    text = (await installed.client.get(page)).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>", text)


@pytest.mark.parametrize(("page", "scripts"), [("/ledger", 5), ("/operations", 7)])
async def test_the_token_is_kept_in_the_tab_and_sent_in_a_header(
    installed: Installation, page: str, scripts: int
) -> None:
    """It never stands in an address, and no script writes markup from what the API says."""
    files = await every_file(installed, page)
    own = {name: answer.text for name, answer in files.items() if re.search(r"/(?!plotly)\w+\.js$", name)}
    assert len(own) == scripts
    text = "\n".join(own.values())
    assert "sessionStorage" in text
    assert not re.search(r"localStorage|document\.cookie|innerHTML|outerHTML|insertAdjacentHTML|location", text)


@pytest.mark.parametrize("page", PAGES)
async def test_a_script_finds_every_place_it_names(installed: Installation, page: str) -> None:
    """What is drawn has somewhere to go, and no id is there twice."""
    files = await every_file(installed, page)
    ids = re.findall(r'\sid="([^"]+)"', files[page].text)
    assert len(ids) == len(set(ids))
    named = {name for answer in files.values() for name in re.findall(r'\bat\("([^"]+)"\)', answer.text)}
    assert named
    assert named <= set(ids)


async def test_the_operations_page_asks_only_for_what_the_api_has(installed: Installation) -> None:
    """Each path that its scripts call is one of the API's."""
    api = (await installed.client.get("/openapi.json")).json()["paths"]
    paths = {re.sub(r"\{[^}]+\}", "*", path) for path in api}
    scripts = [
        answer.text for name, answer in (await every_file(installed, "/operations")).items() if "/operations/" in name
    ]
    called = {path for text in scripts for path in re.findall(r'call\([`"]([^`"]+)[`"]', text)}
    assert {"operations/streams", "operations/lag", "operations/parked", "operations/pipeline"} <= called
    for path in called:
        pattern = re.sub(r"\$\{[^}]+\}", "*", f"/api/v1/{path}").replace("parked/*", "parked/*/*/*")
        assert pattern in paths, path


async def test_what_the_browser_has_is_not_sent_again(installed: Installation) -> None:
    """The plots are as long as a song; they are sent packed, and once."""
    first = await installed.client.get("/ledger/plotly.min.js")
    assert first.headers["content-encoding"] == "gzip"
    assert b"Plotly" in first.content
    assert int(first.headers["content-length"]) < len(first.content) / 3
    again = await installed.client.get("/ledger/plotly.min.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await installed.client.get("/ledger/plotly.min.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == first.content


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", ["page.html", "showing.py", "..%2Fshowing.py", "%2e%2e/showing.py", "nothing.js"])
async def test_nothing_else_is_served(installed: Installation, page: str, name: str) -> None:
    """Not a file beside, not one above."""
    answer = await installed.client.get(f"{page}/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
