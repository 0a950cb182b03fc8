"""AI Gateway in front of a provider: where its address is, and what its headers say.

A gateway's own cache and its tries again stay off: an answer that is there already is known to us before anybody is
asked, and attempts are counted by who calls. Bodies are not kept in its log; they lie in our own store.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

# A gateway drops every entry beyond the fifth without a word.
MOST_METADATA = 5
_FIRST = ("feature", "subject")
_SHORT_NAME = re.compile(r"[A-Za-z0-9_.:@/+-]{1,128}")


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A gateway of an account. With a `cache_ttl_seconds` (60 or more) it may answer from its own cache."""

    account: str
    name: str
    token: str = field(repr=False)
    url: str = "https://gateway.ai.cloudflare.com/v1"
    cache_ttl_seconds: int | None = None

    def address(self, provider: str) -> str:
        """Where a provider is found behind this gateway, by the gateway's own name for it."""
        return f"{self.url.rstrip('/')}/{self.account}/{self.name}/{provider}"

    def key(self) -> dict[str, str]:
        """What opens an authenticated gateway; the provider's own key goes where the provider wants it."""
        return {"cf-aig-authorization": f"Bearer {self.token}"}

    def headers(self, about: Mapping[str, str] | None) -> dict[str, str]:
        """What a request says to the gateway."""
        headers = {"cf-aig-max-attempts": "1", "cf-aig-collect-log-payload": "false"}
        if self.cache_ttl_seconds is None:
            headers["cf-aig-skip-cache"] = "true"
        else:
            headers["cf-aig-cache-ttl"] = str(max(60, self.cache_ttl_seconds))
        if kept := metadata(about or {}):
            headers["cf-aig-metadata"] = msgspec.json.encode(kept).decode()
        return headers


def metadata(about: Mapping[str, str]) -> dict[str, str]:
    """At most five entries, feature and subject first. What is no short name or id may be text and stays out."""
    names = [name for name in _FIRST if name in about] + [name for name in about if name not in _FIRST]
    fit = [name for name in names if _SHORT_NAME.fullmatch(name) and _SHORT_NAME.fullmatch(about[name])]
    return {name: about[name] for name in fit[:MOST_METADATA]}
