"""Which providers there are, given the accounts of this installation, and the way to each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from tonetouch_runtime.ai.providers import anthropic, gemini, openai_compatible
from tonetouch_runtime.ai.providers.anthropic import Anthropic
from tonetouch_runtime.ai.providers.cloudflare import Cloudflare
from tonetouch_runtime.ai.providers.estimating import CountTokens
from tonetouch_runtime.ai.providers.failing import Door
from tonetouch_runtime.ai.providers.gateway import Gateway
from tonetouch_runtime.ai.providers.gemini import Gemini
from tonetouch_runtime.ai.providers.openai_compatible import OpenAICompatible
from tonetouch_runtime.ai.providers.provider import Provider
from tonetouch_runtime.ai.providers.wire import Wire
from tonetouch_runtime.errors import Misconfigured

# What has to be set for a provider to be there.
NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cloudflare": ("TONETOUCH_CLOUDFLARE_ACCOUNT", "TONETOUCH_CLOUDFLARE_TOKEN"),
        "anthropic": ("TONETOUCH_ANTHROPIC_KEY",),
        "openai": ("TONETOUCH_OPENAI_BASE_URL", "TONETOUCH_OPENAI_KEY"),
        "gemini": ("TONETOUCH_GEMINI_KEY",),
    }
)


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Accounts and addresses, as the settings of the same names give them. Empty: there is none.

    A server at `openai_base_url` may need no key; with `openai_key` alone it is OpenAI itself. The last two addresses
    are for tests.
    """

    cloudflare_account: str = ""
    cloudflare_token: str = field(default="", repr=False)
    cloudflare_gateway: str = ""
    cloudflare_api_url: str = "https://api.cloudflare.com/client/v4"
    cloudflare_gateway_url: str = "https://gateway.ai.cloudflare.com/v1"
    anthropic_key: str = field(default="", repr=False)
    openai_base_url: str = ""
    openai_key: str = field(default="", repr=False)
    gemini_key: str = field(default="", repr=False)
    anthropic_url: str = anthropic.DEFAULT_URL
    gemini_url: str = gemini.DEFAULT_URL

    @property
    def gateway(self) -> Gateway | None:
        """The gateway in front of every provider that has a name there; it needs the Cloudflare account and token."""
        if not (self.cloudflare_account and self.cloudflare_token and self.cloudflare_gateway):
            return None
        return Gateway(
            account=self.cloudflare_account,
            name=self.cloudflare_gateway,
            token=self.cloudflare_token,
            url=self.cloudflare_gateway_url,
        )


def connect(accounts: Accounts, *, count: CountTokens | None = None) -> dict[str, Provider]:
    """The providers with an account, by name. No connection is opened before the first call.

    With `count` a provider that tells no tokens gets an estimate; without it they stay unknown. Raises Misconfigured
    for a key that no header can carry and for an address that is none.
    """
    _refuse_broken_keys(accounts)
    _refuse_broken_addresses(accounts)
    providers: dict[str, Provider] = {}
    if accounts.cloudflare_account and accounts.cloudflare_token:
        providers["cloudflare"] = _cloudflare(accounts, count)
    if accounts.anthropic_key:
        providers["anthropic"] = _anthropic(accounts, count)
    if accounts.openai_key or accounts.openai_base_url:
        providers["openai"] = _openai(accounts, count)
    if accounts.gemini_key:
        providers["gemini"] = _gemini(accounts, count)
    return providers


def _cloudflare(accounts: Accounts, count: CountTokens | None) -> Cloudflare:
    url = f"{accounts.cloudflare_api_url.rstrip('/')}/accounts/{accounts.cloudflare_account}/ai"
    headers = {"authorization": f"Bearer {accounts.cloudflare_token}"}
    wire = Wire(_door("Workers AI", "TONETOUCH_CLOUDFLARE_TOKEN", accounts), url=url, headers=headers)
    return Cloudflare(wire, gateway=accounts.gateway, count=count)


def _anthropic(accounts: Accounts, count: CountTokens | None) -> Anthropic:
    gateway = accounts.gateway
    headers = {"x-api-key": accounts.anthropic_key, "anthropic-version": anthropic.VERSION}
    url = gateway.address("anthropic") if gateway else accounts.anthropic_url
    wire = Wire(
        _door("Anthropic", _keys("TONETOUCH_ANTHROPIC_KEY", gateway), accounts),
        url=url,
        headers=headers | (gateway.key() if gateway else {}),
    )
    return Anthropic(wire, gateway=gateway, count=count)


def _openai(accounts: Accounts, count: CountTokens | None) -> OpenAICompatible:
    direct = accounts.openai_base_url or openai_compatible.DEFAULT_URL
    official = direct.rstrip("/") == openai_compatible.DEFAULT_URL
    gateway = accounts.gateway if official else None  # a gateway knows OpenAI's address, not that of another server
    headers = {"authorization": f"Bearer {accounts.openai_key}"} if accounts.openai_key else {}
    wire = Wire(
        _door("OpenAI" if official else "The OpenAI-like server", _keys("TONETOUCH_OPENAI_KEY", gateway), accounts),
        url=gateway.address("openai") if gateway else direct,
        headers=headers | (gateway.key() if gateway else {}),
    )
    return OpenAICompatible(wire, official=official, gateway=gateway, count=count)


def _gemini(accounts: Accounts, count: CountTokens | None) -> Gemini:
    gateway = accounts.gateway
    url = f"{gateway.address('google-ai-studio')}/v1beta" if gateway else accounts.gemini_url
    wire = Wire(
        _door("Gemini", _keys("TONETOUCH_GEMINI_KEY", gateway), accounts),
        url=url,
        headers={"x-goog-api-key": accounts.gemini_key} | (gateway.key() if gateway else {}),
    )
    return Gemini(wire, gateway=gateway, count=count)


def _door(provider: str, setting: str, accounts: Accounts) -> Door:
    secrets = (accounts.cloudflare_token, accounts.anthropic_key, accounts.openai_key, accounts.gemini_key)
    return Door(provider=provider, setting=setting, secrets=tuple(secret for secret in secrets if secret))


def _keys(setting: str, gateway: Gateway | None) -> str:
    return f"{setting} or TONETOUCH_CLOUDFLARE_TOKEN" if gateway else setting


def _refuse_broken_keys(accounts: Accounts) -> None:
    for name in ("cloudflare_token", "anthropic_key", "openai_key", "gemini_key"):
        key = getattr(accounts, name)
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise Misconfigured(f"TONETOUCH_{name.upper()} holds characters that no key has: copy it once more")


def _refuse_broken_addresses(accounts: Accounts) -> None:
    for name in ("cloudflare_api_url", "cloudflare_gateway_url", "openai_base_url", "anthropic_url", "gemini_url"):
        address = getattr(accounts, name)
        if address and not _is_http(address):
            raise Misconfigured(
                f"TONETOUCH_{name.upper()} is no address of a server: it begins with http:// or https://"
            )


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port beyond 65535, or half an IPv6 address
        return False
