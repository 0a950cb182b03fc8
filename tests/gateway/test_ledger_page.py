"""The ledger page: it needs nothing but this server, says nothing by itself, and keeps the token to the tab."""

import re

import httpx
import pytest

from tests.gateway.standins import Installation
from tonetouch_gateway.showing import SECURITY_POLICY

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def every_file(installed: Installation) -> dict[str, httpx.Response]:
    """The page and whatever it loads, and whatever that loads, asked for as a browser would: without the token."""
    waiting, found = ["/ledger"], {}
    async with httpx.AsyncClient(base_url=installed.client.base_url, trust_env=False) as browser:
        while waiting:
            address = waiting.pop()
            answer = found[address] = await browser.get(address)
            text = "" if address.endswith(".min.js") else answer.text
            loaded = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', text)
            loaded += [f"/ledger/{name}" for name in re.findall(r'from "\./([^"]+)"', text)]
            waiting += [one for one in loaded if one not in found]
    return found


async def test_everything_comes_from_this_server(installed: Installation) -> None:
    """Scripts, styles and plots: it works without a network."""
    files = await every_file(installed)
    assert {"/ledger/page.css", "/ledger/page.js", "/ledger/plots.js", "/ledger/plotly.min.js"} <= files.keys()
    for address, answer in files.items():
        assert answer.status_code == 200, address
        assert address.startswith("/ledger")
        kind = {"css": "text/css", "js": "text/javascript"}.get(address.rpartition(".")[2], "text/html")
        assert answer.headers["content-type"].startswith(kind)
    assert b"Plotly" in files["/ledger/plotly.min.js"].content


async def test_a_browser_is_told_to_load_nothing_else(installed: Installation) -> None:
    """No script or style within the page, none from elsewhere, nobody may frame it, and its address tells nobody."""
    assert "unsafe" not in SECURITY_POLICY
    for answer in (await every_file(installed)).values():
        assert answer.headers["content-security-policy"] == SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    page = (await installed.client.get("/ledger")).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>", page)


async def test_the_token_is_kept_in_the_tab_and_sent_in_a_header(installed: Installation) -> None:
    """It never stands in an address, and no script writes markup from what the API says."""
    files = await every_file(installed)
    own = {name: answer.text for name, answer in files.items() if re.search(r"/(?!plotly)\w+\.js$", name)}
    assert len(own) == 5
    scripts = "\n".join(own.values())
    assert "sessionStorage" in scripts
    assert not re.search(r"localStorage|document\.cookie|innerHTML|outerHTML|insertAdjacentHTML|location", scripts)


async def test_what_the_browser_has_is_not_sent_again(installed: Installation) -> None:
    """The plots are as long as a song; they are sent packed, and once."""
    first = await installed.client.get("/ledger/plotly.min.js")
    assert first.headers["content-encoding"] == "gzip"
    assert int(first.headers["content-length"]) < len(first.content) / 3
    again = await installed.client.get("/ledger/plotly.min.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await installed.client.get("/ledger/plotly.min.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == first.content


@pytest.mark.parametrize("name", ["page.html", "showing.py", "..%2Fshowing.py", "%2e%2e/showing.py", "nothing.js"])
async def test_nothing_else_is_served(installed: Installation, name: str) -> None:
    """Not a file beside, not one above."""
    answer = await installed.client.get(f"/ledger/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
