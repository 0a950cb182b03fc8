"""Which providers there are depends on the accounts, and on nothing else."""

import pytest

from tonetouch_runtime.ai.providers.connecting import NEEDS, Accounts, connect
from tonetouch_runtime.errors import Misconfigured

ALL = Accounts(
    cloudflare_account="acc",
    cloudflare_token="t",
    cloudflare_gateway="main",
    anthropic_key="a",
    openai_key="o",
    gemini_key="g",
)


async def close(accounts: Accounts) -> dict[str, str | None]:
    """The providers there are, and the gateway in front of each."""
    providers = connect(accounts)
    for provider in providers.values():
        await provider.close()
    return {name: provider.gateway for name, provider in providers.items() if provider.name == name}


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        (Accounts(), {}),
        (Accounts(cloudflare_account="acc"), {}),
        (Accounts(cloudflare_token="t"), {}),
        (Accounts(cloudflare_account="acc", cloudflare_token="t"), {"cloudflare": None}),
        (Accounts(anthropic_key="a", cloudflare_gateway="main"), {"anthropic": None}),
        (Accounts(openai_base_url="http://127.0.0.1:11434/v1"), {"openai": None}),
        (ALL, {"cloudflare": "main", "anthropic": "main", "openai": "main", "gemini": "main"}),
    ],
)
async def test_who_is_there(accounts: Accounts, expected: dict[str, str | None]) -> None:
    """A provider is there when all it needs is set; the gateway needs account, token and name."""
    assert await close(accounts) == expected


async def test_a_gateway_does_not_know_other_servers() -> None:
    """OpenAI itself is asked through the gateway, a server of one's own never is."""
    own = Accounts(
        cloudflare_account="acc",
        cloudflare_token="t",
        cloudflare_gateway="main",
        openai_base_url="http://127.0.0.1:11434/v1",
    )
    assert (await close(own))["openai"] is None
    assert set(NEEDS) == set(await close(ALL))


@pytest.mark.parametrize("key", ["with space", "line\nbreak", "Schlüssel", "tab\t"])
def test_a_key_that_is_none(key: str) -> None:
    """A key no header can carry is found at the start, and not shown."""
    with pytest.raises(Misconfigured, match="TONETOUCH_ANTHROPIC_KEY") as raised:
        connect(Accounts(anthropic_key=key))
    assert key not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["no address", "ftp://127.0.0.1/", "http://127.0.0.1:99999/", "http://[::1", "localhost:1"]
)
def test_an_address_that_is_none(url: str) -> None:
    """A broken address is found at the start too."""
    with pytest.raises(Misconfigured, match="TONETOUCH_OPENAI_BASE_URL"):
        connect(Accounts(openai_base_url=url))
