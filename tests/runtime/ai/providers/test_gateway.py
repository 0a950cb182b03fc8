"""What a gateway is told, and what is not left to it."""

from tests.cloud import Account
from tests.cloud.models import LLAMA
from tests.runtime.ai.providers.doors import REQUESTS, target
from tonetouch_runtime.ai.providers.cloudflare import Cloudflare
from tonetouch_runtime.ai.providers.connecting import Accounts, connect
from tonetouch_runtime.ai.providers.failing import Door
from tonetouch_runtime.ai.providers.gateway import Gateway, metadata
from tonetouch_runtime.ai.providers.wire import Wire

GATEWAY = Gateway(account="acc", name="main", token="cf-secret-4711")


def test_metadata_holds_names_and_ids_only() -> None:
    """At most five entries, feature and subject first; text of a person stays out."""
    about = {
        "purpose": "serve",
        "note": "written by Ana Lima for her mother",
        "priority": "ingest",
        "umlaut": "Für",
        "subject": "track:01J",
        "a": "1",
        "b": "2",
        "feature": "about",
        "empty": "",
        "long": "a" * 200,
        "a name": "x",
    }
    kept = metadata(about)
    assert kept == {"feature": "about", "subject": "track:01J", "purpose": "serve", "priority": "ingest", "a": "1"}
    assert list(kept)[:2] == ["feature", "subject"]


def test_headers() -> None:
    """No cache and no second try of its own, no bodies in its log."""
    assert GATEWAY.headers(None) == {
        "cf-aig-max-attempts": "1",
        "cf-aig-collect-log-payload": "false",
        "cf-aig-skip-cache": "true",
    }
    lasting = Gateway(account="acc", name="main", token="t", cache_ttl_seconds=30)
    told = lasting.headers({"feature": "about"})
    assert (told["cf-aig-cache-ttl"], told["cf-aig-metadata"]) == ("60", '{"feature":"about"}')
    assert "cf-aig-skip-cache" not in told


def test_the_token_is_not_shown() -> None:
    """A gateway or an account that is printed shows no key."""
    accounts = Accounts(
        cloudflare_token="secret-1", anthropic_key="secret-2", openai_key="secret-3", gemini_key="secret-4"
    )
    assert "secret" not in repr(accounts)
    assert "secret" not in repr(GATEWAY)


async def test_a_gateway_that_caches_is_passed_by(cloud: Account) -> None:
    """Its own cache would bill nothing and say that it did: it is skipped unless asked for."""
    cloud.add_gateway("caching", cache_ttl=600)
    accounts = Accounts(
        cloudflare_account=cloud.id,
        cloudflare_token=cloud.token,
        cloudflare_gateway="caching",
        cloudflare_api_url=cloud.api_url,
        cloudflare_gateway_url=cloud.gateway_url,
    )
    provider = connect(accounts)["cloudflare"]
    for _ in range(2):
        await provider.call(target("cloudflare", "chat", LLAMA), REQUESTS["chat"])
    await provider.close()
    assert [call.gateway_cache for call in cloud.calls(LLAMA)].count("HIT") == 0
    assert cloud.counts()[LLAMA].calls == 2


async def test_a_hit_of_the_gateways_cache_used_nothing(cloud: Account) -> None:
    """Where its cache is asked for, an answer out of it says so and counts nothing."""
    gateway = Gateway(
        account=cloud.id, name=cloud.gateway, token=cloud.token, url=cloud.gateway_url, cache_ttl_seconds=600
    )
    wire = Wire(
        Door(provider="Workers AI", setting="TONETOUCH_CLOUDFLARE_TOKEN"),
        url=f"{cloud.api_url}/accounts/{cloud.id}/ai",
        headers={"authorization": f"Bearer {cloud.token}"},
    )
    provider = Cloudflare(wire, gateway=gateway)
    first = await provider.call(target("cloudflare", "chat", LLAMA), REQUESTS["chat"])
    second = await provider.call(target("cloudflare", "chat", LLAMA), REQUESTS["chat"])
    await provider.close()
    assert first.result == second.result
    assert first.usage.prompt_tokens
    assert (second.usage.prompt_tokens, second.usage.completion_tokens, second.usage.quantities) == (0, 0, ())
