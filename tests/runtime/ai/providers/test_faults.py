"""What goes wrong outside is one of our errors, with a reason and with what is known, whoever was asked."""

import pytest

from tests.cloud import Account, Fault
from tests.cloud.models import AURA, BGE_M3, LLAMA, LLAMA_GUARD, RERANKER
from tests.runtime.ai.providers.doors import REQUESTS, Doors, connected, pieces, target
from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.providers import Reply
from tonetouch_runtime.ai.providers.connecting import Accounts, connect
from tonetouch_runtime.ai.tasks import AITask, Chat, Message, Speech

CHATS = {
    "cloudflare": LLAMA,
    "anthropic": "claude-sonnet-4-5",
    "openai": "gpt-4o-mini",
    "gemini": "gemini-2.5-flash",
}
CHAT = Chat(messages=(Message("user", "[F1] It came out in 1994.\n[F2] It was made in Bristol."),))
PROVIDERS = pytest.mark.parametrize("name", CHATS)
EITHER = pytest.mark.parametrize("gateway", [False, True], ids=["direct", "gateway"])


async def call(doors: Doors, name: str, request: Chat = CHAT) -> Reply:
    return await doors[name].call(target(name, "chat", CHATS[name]), request)


@PROVIDERS
@EITHER
@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (Fault(status=429, retry_after=7), "rate_limited"),
        (Fault(status=500), "overloaded"),
        (Fault(status=503), "overloaded"),
        (Fault(html=True), "nonsense"),
        (Fault(nonsense=True), "nonsense"),
        (Fault(content_type="text/plain"), "nonsense"),
        (Fault(abrupt=True), "cut"),
    ],
    ids=["429", "500", "503", "html", "nonsense", "wrong content type", "broken off"],
)
async def test_an_answer_that_is_none(cloud: Account, name: str, gateway: bool, fault: Fault, failure: str) -> None:
    """Refusals, pages instead of documents and torn answers are failures that say which provider and why."""
    cloud.fail(CHATS[name], fault)
    async with connected(cloud, gateway=gateway) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await call(doors, name)
        assert raised.value.failure in (failure, "unreachable" if fault.abrupt else failure)
        assert raised.value.retry_after_seconds == fault.retry_after
        assert raised.value.reached
        assert (await call(doors, name)).usage.source == "reported"
    assert len(cloud.calls(CHATS[name])) == 2


@PROVIDERS
@EITHER
async def test_a_torn_stream(cloud: Account, name: str, gateway: bool) -> None:
    """A stream that ends early, politely or not, is cut; the text and the usage there were come with it."""
    for fault in (Fault(cut_after=2), Fault(cut_after=2, abrupt=True)):
        cloud.fail(CHATS[name], fault)
        async with connected(cloud, gateway=gateway) as doors:
            with pytest.raises(ProviderFailed) as raised:
                await pieces(doors[name], target(name, "chat", CHATS[name]), CHAT)
        assert raised.value.failure == "cut"
        assert raised.value.usage is not None
        assert raised.value.usage.source == ("partial" if name == "anthropic" else "none")
        assert raised.value.request_id or name == "cloudflare"


@PROVIDERS
@pytest.mark.parametrize(
    "fault",
    [Fault(html=True), Fault(content_type="text/plain"), Fault(nonsense=True)],
    ids=["html", "plain", "nonsense"],
)
async def test_a_stream_that_is_none(cloud: Account, name: str, fault: Fault) -> None:
    """What was to be a stream and is none is nonsense, or cut where no word of it was understood."""
    cloud.fail(CHATS[name], fault)
    async with connected(cloud) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await pieces(doors[name], target(name, "chat", CHATS[name]), CHAT)
    assert raised.value.failure in ("nonsense", "cut")


@PROVIDERS
async def test_usage_that_is_not_told(cloud: Account, name: str) -> None:
    """Whole or as a stream, without usage nothing is known; the answer is good all the same."""
    cloud.fail(CHATS[name], Fault(without_usage=True), times=2)
    async with connected(cloud) as doors:
        whole = await call(doors, name)
        _, last = await pieces(doors[name], target(name, "chat", CHATS[name]), CHAT)
    assert {whole.usage.source, last.usage.source} == {"none"}
    assert whole.usage.prompt_tokens is None


@EITHER
@pytest.mark.parametrize(("code", "failure", "passes"), [(3036, "daily_quota", False), (3040, "out_of_capacity", True)])
async def test_three_kinds_of_429(cloud: Account, gateway: bool, code: int, failure: str, passes: bool) -> None:
    """The limit of a minute, the allowance of a day and a busy model have one status and three meanings."""
    cloud.limit(LLAMA, 1)
    async with connected(cloud, gateway=gateway) as doors:
        await call(doors, "cloudflare")
        with pytest.raises(ProviderFailed) as limited:
            await call(doors, "cloudflare")
        cloud.unlimit()
        cloud.fail(LLAMA, Fault(status=429, code=code))
        with pytest.raises(ProviderFailed) as other:
            await call(doors, "cloudflare")
    assert (limited.value.failure, limited.value.http_status) == ("rate_limited", 429)
    assert 0 < (limited.value.retry_after_seconds or 0) <= 60
    assert (other.value.failure, other.value.may_pass) == (failure, passes)
    if code == 3036:
        assert 0 < (other.value.retry_after_seconds or 0) <= 86_400


@EITHER
@pytest.mark.parametrize("name", ["cloudflare", "anthropic", "openai", "gemini"])
async def test_a_wrong_key_names_its_setting(cloud: Account, name: str, gateway: bool) -> None:
    """A key that is refused is a matter of a setting, which is named; the key itself is not."""
    wrong = "wrong-key-4711"
    accounts = Accounts(
        cloudflare_account=cloud.id,
        cloudflare_token=wrong if name == "cloudflare" else cloud.token,
        cloudflare_gateway=cloud.gateway if gateway else "",
        cloudflare_api_url=cloud.api_url,
        cloudflare_gateway_url=cloud.gateway_url,
        anthropic_key=wrong,
        anthropic_url=cloud.anthropic_url,
        openai_key=wrong,
        openai_base_url="" if gateway else cloud.openai_url,
        gemini_key=wrong,
        gemini_url=cloud.gemini_url,
    )
    settings = {"cloudflare": "TONETOUCH_CLOUDFLARE_TOKEN"}
    doors = connect(accounts)
    with pytest.raises(AIUnavailable, match=settings.get(name, f"TONETOUCH_{name.upper()}_KEY")) as raised:
        await call(doors, name)
    assert wrong not in str(raised.value)
    for provider in doors.values():
        await provider.close()


async def test_a_recording_that_breaks_off(cloud: Account) -> None:
    """Half a recording is cut, and was paid for."""
    cloud.fail(AURA, Fault(cut_after=1, abrupt=True))
    async with connected(cloud) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await pieces(doors["cloudflare"], target("cloudflare", "speech", AURA), Speech(text="Hello. " * 400))
    assert raised.value.failure in ("cut", "unreachable")


async def test_a_recording_that_is_none(cloud: Account) -> None:
    """A page is no recording."""
    cloud.fail(AURA, Fault(html=True))
    async with connected(cloud) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await doors["cloudflare"].call(target("cloudflare", "speech", AURA), Speech(text="Hello."))
    assert raised.value.failure == "nonsense"


@pytest.mark.parametrize(
    ("name", "task", "model", "fault"),
    [
        ("cloudflare", "embeddings", BGE_M3, Fault(missing=1)),
        ("cloudflare", "rerank", RERANKER, Fault(missing=1)),
        ("cloudflare", "rerank", RERANKER, Fault(duplicate_ids=True)),
        ("openai", "embeddings", "text-embedding-3-small", Fault(missing=1)),
        ("openai", "embeddings", "text-embedding-3-small", Fault(duplicate_ids=True)),
    ],
)
async def test_lists_with_holes(cloud: Account, name: str, task: AITask, model: str, fault: Fault) -> None:
    """A vector or a score that is missing, or is there twice, is not taken for another one's."""
    cloud.fail(model, fault)
    async with connected(cloud) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await doors[name].call(target(name, task, model), REQUESTS[task])
    assert raised.value.failure == "nonsense"


@pytest.mark.parametrize("task", ["embeddings", "moderation"])
async def test_nonsense_of_other_tasks(cloud: Account, task: str) -> None:
    """Vectors and verdicts that are none are nonsense too."""
    model = {"embeddings": BGE_M3, "moderation": LLAMA_GUARD}[task]
    cloud.fail(model, Fault(nonsense=True))
    async with connected(cloud) as doors:
        for request in REQUESTS.values():
            if request.task() == task:
                with pytest.raises(ProviderFailed, match="Workers AI") as raised:
                    await doors["cloudflare"].call(target("cloudflare", request.task(), model), request)
                assert raised.value.failure == "nonsense"


@PROVIDERS
async def test_a_prompt_that_is_too_long(cloud: Account, name: str) -> None:
    """A prompt beyond the window is refused in clear words, once."""
    cloud.body_limit_bytes = 30_000_000
    request = Chat(messages=(Message("user", "word " * 1_200_000),))
    async with connected(cloud) as doors:
        with pytest.raises(AIInputRefused):
            await call(doors, name, request)


async def test_a_body_that_is_too_large(cloud: Account) -> None:
    """So is a body that the server will not take at all."""
    cloud.body_limit_bytes = 1000
    async with connected(cloud) as doors:
        with pytest.raises(AIInputRefused):
            await call(doors, "cloudflare", Chat(messages=(Message("user", "word " * 1000),)))
