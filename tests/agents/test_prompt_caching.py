"""What is known of an album is paid for once: the next texts about it read it from the provider's prompt cache."""

import json

from pydantic import SecretStr

from tests.agents.conftest import night_is_over
from tests.agents.music import album_id, publish, track
from tests.agents.texts import rows, write
from tests.cloud.account import Account
from tests.runtime.installation import provision
from tonetouch_agents.app import app
from tonetouch_contracts.copy import CopyKind
from tonetouch_runtime import Settings, running

ALBUM = f"album:{album_id()}"
VERSE = "lanterns over the water and nobody home tonight\n"


async def test_the_second_text_about_an_album_reads_its_context_from_the_cache(
    settings: Settings, cloud: Account
) -> None:
    """The first one writes it; of the second one's prompt nearly all is read."""
    settings.anthropic_key, settings.anthropic_url = SecretStr(cloud.anthropic_key), cloud.anthropic_url
    cloud.plan(
        "claude-haiku-5-5",
        lambda prompt: json.dumps({"sentences": [{"text": "It dates from 1998.", "facts": [_year(prompt.facts)]}]}),
    )
    await provision(settings)
    kinds: tuple[CopyKind, ...] = ("album_review", "track_notes")
    async with running(app, settings) as floor:
        await night_is_over(floor)
        await publish(floor, *(track(number, lyrics=VERSE * 40) for number in range(1, 16)))
        texts = [await write(floor, kind, ALBUM) for kind in kinds]
        first, second = [(await rows(floor, text.job_id))[0] for text in texts]
    assert [text.provider for text in texts] == ["anthropic", "anthropic"]
    assert first.context_hash == second.context_hash == texts[0].context_sha256
    assert first.cache_write_tokens and not first.cached_tokens
    assert second.cached_tokens == first.cache_write_tokens
    assert second.prompt_tokens is not None and second.cached_tokens is not None
    assert second.cached_tokens > 0.9 * second.prompt_tokens


def _year(facts: dict[str, str]) -> str:
    return next(number for number, text in facts.items() if "year: 1998" in text)
