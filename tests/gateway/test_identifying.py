"""Nobody comes in without the token."""

import pytest
from pydantic import SecretStr

from tests.gateway.standins import TOKEN, Installation
from tests.runtime.installation import provision
from tonetouch_gateway.app import app, make_api
from tonetouch_gateway.identifying import required_token
from tonetouch_runtime import Misconfigured, Settings, running

PATHS = sorted(path for path in make_api().openapi()["paths"] if path.startswith("/api/"))
DOCUMENT = make_api().openapi()


@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize("path", PATHS)
async def test_every_path_asks_for_the_token(installed: Installation, path: str) -> None:
    """Whatever the method; the answer says what kind of token is wanted."""
    for method in DOCUMENT["paths"][path]:
        url = path.replace("{track_id}", "t")
        answer = await installed.client.request(method, url, json={}, headers={"Authorization": ""})
        assert (answer.status_code, answer.json()["code"]) == (401, "not_identified")
        assert answer.headers["www-authenticate"] == 'Bearer realm="tonetouch"'


@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize(
    "shown", ["Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xe9"]
)
async def test_only_the_whole_token_will_do(installed: Installation, shown: str) -> None:
    """Not its beginning, not in another scheme, not what is not even ASCII."""
    answer = await installed.client.get("/api/v1/tracks", headers={b"Authorization": shown.encode("latin-1")})
    assert answer.status_code == 401


@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/healthz"])
async def test_what_the_api_says_of_itself_is_open(installed: Installation, path: str) -> None:
    """The documentation and the health need no token."""
    assert (await installed.client.get(path, headers={"Authorization": ""})).status_code == 200


@pytest.mark.parametrize("token", ["", "changeme", " Secret "])
def test_a_token_that_anybody_could_guess_is_none(settings: Settings, token: str) -> None:
    """The sentence names the setting."""
    settings.admin_token = SecretStr(token)
    with pytest.raises(Misconfigured, match="TONETOUCH_ADMIN_TOKEN"):
        required_token(settings)


async def test_without_a_token_the_gateway_does_not_start(settings: Settings) -> None:
    """It would let nobody in, or everybody."""
    settings.admin_token, settings.http_port = SecretStr(""), 0
    await provision(settings)
    with pytest.raises(Misconfigured, match="TONETOUCH_ADMIN_TOKEN"):
        async with running(app, settings):
            pass
