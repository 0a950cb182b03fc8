"""The routing table: what the file says, what is chosen from it, and what is said where nothing is left."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_contracts.job import Considered
from tonetouch_runtime import Unavailable
from tonetouch_runtime.ai.breaking import Breakers, Tolerance
from tonetouch_runtime.ai.errors import AIBudgetSpent, AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.local import Fact, Pattern
from tonetouch_runtime.ai.providers.provider import Target
from tonetouch_runtime.ai.routing import Choice, Routes, Size, count_tokens, measure
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    Chat,
    Embeddings,
    Message,
    Moderation,
    Rerank,
    Speech,
    Translation,
)
from tonetouch_runtime.errors import Misconfigured

EMBEDDED = (
    Target(name="local-chat", provider="local", task="chat", model="patterns@1", quality=0.3),
    Target(name="local-embeddings", provider="local", task="embeddings", model="words@1", quality=0.4),
)
EVERY = frozenset({"cloudflare", "anthropic", "openai", "gemini", "local"})
PRICES = {"near": 40, "far": 30, "dear": 90, "local-chat": 0}

SMALL = """
[providers.cloudflare]
place = "runtime"
needs = ["TONETOUCH_CLOUDFLARE_ACCOUNT", "TONETOUCH_CLOUDFLARE_TOKEN"]

[providers.anthropic]
place = "external"
needs = ["TONETOUCH_ANTHROPIC_KEY"]

[providers.local]
place = "local"

[targets.near]
provider = "cloudflare"
task = "chat"
model = "near-model"
window_tokens = 1_000
quality = 0.4

[targets.far]
provider = "anthropic"
task = "chat"
model = "far-model"
window_tokens = 10_000
quality = 0.6

[targets.dear]
provider = "anthropic"
task = "chat"
model = "dear-model"
window_tokens = 10_000
quality = 0.9
"""


def read(tmp_path: Path, text: str) -> Routes:
    path = tmp_path / "routes.toml"
    path.write_text(text, "utf-8")
    return Routes.load(path, embedded=EMBEDDED)


def small(tmp_path: Path, route: str = "", *, candidates: str = '["near", "far", "dear"]') -> Routes:
    return read(tmp_path, f'{SMALL}\n[[routes]]\ntask = "chat"\ncandidates = {candidates}\n{route}\n')


def chat(words: int = 10, *, max_tokens: int = 100) -> Chat:
    return Chat(messages=(Message("user", "word " * words),), max_tokens=max_tokens)


def from_facts() -> Chat:
    return Chat(
        messages=(Message("user", "Write."),),
        max_tokens=100,
        facts=(Fact("F1", "name", "Low"),),
        template=((Pattern("{name} plays.", needs=("name",)),),),
    )


def price(target: Target, request: AnyRequest, size: Size, hit_ratio: float) -> int | None:
    return PRICES.get(target.name)


def passed_over(choice: Choice) -> dict[str, str]:
    return {one.target: one.passed_over for one in choice.considered}


def test_the_packaged_file_has_a_route_for_every_task() -> None:
    """With an account each task has a target in-runtime, of the model the mission names."""
    routes = Routes.load()
    models = {route.task: routes.candidates(route)[0].model for route in routes.routes}
    assert models == {
        "chat": "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
        "embeddings": "@cf/baai/bge-m3",
        "rerank": "@cf/baai/bge-reranker-base",
        "moderation": "@cf/meta/llama-guard-3-8b",
        "image_description": "@cf/llava-hf/llava-1.5-7b-hf",
        "translation": "@cf/meta/m2m100-1.2b",
        "transcription": "@cf/openai/whisper-large-v3-turbo",
        "speech": "@cf/deepgram/aura-2-en",
        "image_generation": "@cf/black-forest-labs/flux-1-schnell",
    }


def test_what_fits_the_window_stays_in_runtime_and_what_does_not_goes_out() -> None:
    """The packaged file's default: 24,000 tokens with the margin and the answer, then the next larger window."""
    routes = Routes.load()

    def chosen(words: int, max_tokens: int) -> str:
        return routes.choose(chat(words, max_tokens=max_tokens), feature="copy.bio", available=EVERY).target.name

    size = measure(chat(10_000, max_tokens=0))
    assert size.window_tokens == round(size.prompt_tokens * 1.05)
    assert chosen(10_000, 24_000 - size.window_tokens) == "llama-3-3-70b"
    assert chosen(10_000, 24_001 - size.window_tokens) == "claude-haiku"
    assert chosen(100_000, 1_000) == "gpt-mini"
    assert chosen(300_000, 1_000) == "gemini-flash"


def test_the_choice_names_the_losers_and_why(tmp_path: Path) -> None:
    """Every candidate is in the ledger: its price, and what spoke against it."""
    choice = small(tmp_path).choose(chat(800), feature="copy.bio", available=EVERY, estimate=price)
    tokens = choice.size.window_tokens
    assert choice.target.model == "far-model"
    assert choice.expected_pico_usd == 30
    assert choice.considered == (
        Considered(target="near", cost_pico_usd=40, passed_over=f"about {tokens:,} tokens do not fit its 1,000"),
        Considered(target="far", cost_pico_usd=30),
        Considered(target="dear", cost_pico_usd=90, passed_over="far comes first"),
        Considered(
            target="local-chat",
            cost_pico_usd=0,
            passed_over="it fills templates with facts and is no language model",
        ),
    )


def test_with_no_account_an_embedded_engine_answers(tmp_path: Path) -> None:
    """It is the last candidate without being listed, and the others name the settings they want."""
    choice = small(tmp_path).choose(from_facts(), feature="copy.bio", available={"local"})
    assert choice.target.name == "local-chat"
    assert passed_over(choice)["near"] == "set TONETOUCH_CLOUDFLARE_ACCOUNT and TONETOUCH_CLOUDFLARE_TOKEN"


def test_a_route_can_do_without_embedded_engines(tmp_path: Path) -> None:
    """Then nobody answers without an account."""
    with pytest.raises(AIUnavailable):
        small(tmp_path, "embedded = false").choose(from_facts(), feature="copy.bio", available={"local"})


def test_an_embedded_engine_can_stand_first(tmp_path: Path) -> None:
    """Where the file lists it, there is its place."""
    routes = small(tmp_path, candidates='["local-chat", "near"]')
    assert routes.choose(from_facts(), feature="copy.bio", available=EVERY).target.name == "local-chat"
    assert routes.choose(chat(), feature="copy.bio", available=EVERY).target.name == "near"


def test_a_target_that_is_not_configured_is_passed_over(tmp_path: Path) -> None:
    """The next one answers."""
    choice = small(tmp_path).choose(chat(), feature="copy.bio", available={"anthropic"})
    assert choice.target.name == "far"


def test_quality_below_the_floor_is_passed_over(tmp_path: Path) -> None:
    """With a floor the order holds among what is good enough."""
    choice = small(tmp_path, "quality_floor = 0.7").choose(chat(), feature="copy.bio", available=EVERY)
    assert choice.target.name == "dear"
    assert passed_over(choice)["near"] == "its quality of 0.4 is below the floor of 0.7"


def test_cheapest_takes_the_lowest_expected_cost(tmp_path: Path) -> None:
    """The order decides no more; an embedded engine is not taken for being free."""
    routes = small(tmp_path, "cheapest = true")
    choice = routes.choose(from_facts(), feature="copy.bio", available=EVERY, estimate=price)
    assert choice.target.name == "far"
    assert passed_over(choice)["near"] == "far costs less"


def test_cheapest_prefers_a_known_price(tmp_path: Path) -> None:
    """What nobody can price is not taken for free."""

    def one_price(target: Target, request: AnyRequest, size: Size, hit_ratio: float) -> int | None:
        return 90 if target.name == "dear" else None

    routes = small(tmp_path, "cheapest = true")
    assert routes.choose(chat(), feature="copy.bio", available=EVERY, estimate=one_price).target.name == "dear"
    assert routes.choose(chat(), feature="copy.bio", available=EVERY).target.name == "near"


def test_the_measured_cache_hit_ratio_decides_what_is_cheapest(tmp_path: Path) -> None:
    """A dear model that reads nine prefixes of ten from its cache can be the cheaper one."""

    def by_cache(target: Target, request: AnyRequest, size: Size, hit_ratio: float) -> int | None:
        return round(PRICES[target.name] * (1 - hit_ratio))

    routes = small(tmp_path, "cheapest = true")
    ratios = {"dear": 0.9, "far": 0.1}
    choice = routes.choose(chat(), feature="copy.bio", available=EVERY, estimate=by_cache, hit_ratios=ratios)
    assert (choice.target.name, choice.expected_pico_usd) == ("dear", 9)


def test_an_open_circuit_is_passed_over(tmp_path: Path) -> None:
    """The reason stands with it, and when all are open another time may do."""
    breakers = Breakers(Tolerance(in_a_row=1), clock=lambda: 0.0)

    def broken(name: str) -> None:
        attempt = breakers.begin(name)
        assert attempt is not None
        attempt.failed(ProviderFailed("timeout", "no answer"))

    broken("near")
    choice = small(tmp_path).choose(chat(), feature="copy.bio", available=EVERY, breakers=breakers)
    assert choice.target.name == "far"
    assert passed_over(choice)["near"] == "its circuit is open for 10 s more after timeout"
    broken("far")
    broken("dear")
    with pytest.raises(ProviderFailed, match="near: its circuit is open") as failed:
        small(tmp_path).choose(chat(), feature="copy.bio", available=EVERY, breakers=breakers)
    assert failed.value.may_pass
    assert not failed.value.reached


def test_an_excluded_target_is_passed_over(tmp_path: Path) -> None:
    """What failed for this call is not asked for it again."""
    excluded = {"near": "it answered nonsense"}
    choice = small(tmp_path).choose(chat(), feature="copy.bio", available=EVERY, excluded=excluded)
    assert choice.target.name == "far"
    assert passed_over(choice)["near"] == "it answered nonsense"


def test_without_money_a_free_target_answers_or_nobody(tmp_path: Path) -> None:
    """The budget's own answer is raised where nothing else is left."""
    spent = AIBudgetSpent("The budget of copy.bio is spent.")
    unaffordable = dict.fromkeys(("near", "far", "dear"), spent)
    routes = small(tmp_path)
    choice = routes.choose(from_facts(), feature="copy.bio", available=EVERY, unaffordable=unaffordable)
    assert choice.target.name == "local-chat"
    assert passed_over(choice)["far"] == "The budget of copy.bio is spent."
    with pytest.raises(AIBudgetSpent) as raised:
        routes.choose(chat(), feature="copy.bio", available=EVERY, unaffordable=unaffordable)
    assert raised.value is spent


def test_a_request_larger_than_every_window_is_refused_with_the_numbers(tmp_path: Path) -> None:
    """Who asked can tell how much is too much."""
    with pytest.raises(AIInputRefused) as refused:
        small(tmp_path).choose(chat(20_000), feature="copy.bio", available=EVERY)
    tokens = measure(chat(20_000)).window_tokens
    assert refused.value.reason == (
        f"The request needs about {tokens:,} tokens with its answer; the largest window for chat is 10,000 (far)."
    )


def test_where_a_larger_window_only_lacks_its_setting_that_is_what_is_said(tmp_path: Path) -> None:
    """The prompt is not to blame as long as somebody could read it."""
    with pytest.raises(AIUnavailable, match=r"set TONETOUCH_ANTHROPIC_KEY, for chat of copy\.bio") as unavailable:
        small(tmp_path).choose(chat(800), feature="copy.bio", available={"cloudflare", "local"})
    assert "near: about" in str(unavailable.value)


def test_where_nothing_is_configured_the_settings_are_named() -> None:
    """Also for tasks that no embedded engine serves."""
    with pytest.raises(AIUnavailable, match="TONETOUCH_CLOUDFLARE_ACCOUNT and TONETOUCH_CLOUDFLARE_TOKEN"):
        Routes.load().choose(Translation(text="Hello", source="en", target="de"), feature="lyrics", available={"local"})


def test_where_only_the_file_stands_in_the_way_it_is_named(tmp_path: Path) -> None:
    """A floor that nobody reaches, and a task without a route."""
    with pytest.raises(AIUnavailable, match="TONETOUCH_AI_ROUTES"):
        small(tmp_path, "quality_floor = 1.0").choose(chat(), feature="copy.bio", available=EVERY)
    with pytest.raises(AIUnavailable, match="add a route for the task speech and the feature dj"):
        small(tmp_path).choose(Speech(text="Hello"), feature="dj", available=EVERY)


def test_the_first_route_that_matches_counts(tmp_path: Path) -> None:
    """Narrow patterns stand before wide ones."""
    narrow = '[[routes]]\ntask = "chat"\nfeature = "dj.*"\ncandidates = ["dear"]\n'
    wide = '[[routes]]\ntask = "chat"\ncandidates = ["near"]\n'
    routes = read(tmp_path, SMALL + narrow + wide)
    assert routes.choose(chat(), feature="dj.intro", available=EVERY).target.name == "dear"
    assert routes.choose(chat(), feature="copy.bio", available=EVERY).target.name == "near"


def test_embeddings_never_change_their_model_by_themselves() -> None:
    """Vectors of two models cannot be compared: a broken target is waited for, a missing account is not."""
    routes, request = Routes.load(embedded=EMBEDDED), Embeddings(texts=("a", "b"))
    assert routes.choose(request, feature="ingest.embed", available=EVERY).target.name == "bge-m3"
    assert routes.choose(request, feature="ingest.embed", available={"local"}).target.name == "local-embeddings"
    with pytest.raises(ProviderFailed, match="cannot be compared with those of bge-m3"):
        routes.choose(request, feature="ingest.embed", available=EVERY, excluded={"bge-m3": "it timed out"})
    with pytest.raises(AIInputRefused, match="8,192"):
        routes.choose(Embeddings(texts=("a", "word " * 9_000)), feature="ingest.embed", available=EVERY)


def test_one_model_can_be_asked_for_by_its_name() -> None:
    """Whatever the route prefers: what is compared with vectors that are there has to be of their model, or is not."""
    routes, question = Routes.load(embedded=EMBEDDED), Embeddings(texts=("a",))
    assert routes.choose(question, feature="search", available=EVERY).target.name == "bge-m3"
    assert routes.choose(question, feature="search", available=EVERY, model="words@1").target.name == "local-embeddings"
    with pytest.raises(AIUnavailable, match="TONETOUCH_CLOUDFLARE_ACCOUNT"):
        routes.choose(question, feature="search", available={"local"}, model="@cf/baai/bge-m3")
    with pytest.raises(AIUnavailable, match="no target of the model gone@1"):
        routes.choose(question, feature="search", available=EVERY, model="gone@1")


def test_the_file_may_change_an_embedded_target(tmp_path: Path) -> None:
    """A measured quality, say; the rest stays what the engine says."""
    routes = read(tmp_path, SMALL + "[targets.local-chat]\nquality = 0.8\n")
    assert routes.targets["local-chat"].quality == 0.8
    assert routes.targets["local-chat"].model == "patterns@1"


WRONG = {
    '[targets.near]\nmodel = "x"': "is not TOML: ",
    "[prices]\nx = 1": "routes.toml: the file, prices: there is no such key; did you mean providers?.",
    '[targets.x]\nprovider = "cloudflare"\ntask = "chat"': "[targets.x]: object missing required field `model`.",
    '[targets.x]\nprovider = "cloud"\ntask = "chat"\nmodel = "m"': (
        "[targets.x], provider: there is no [providers.cloud]."
    ),
    '[targets.x]\nprovider = "local"\ntask = "dance"\nmodel = "m"': "[targets.x], task: invalid enum value 'dance'.",
    '[targets.x]\nprovider = "local"\ntask = "chat"\nmodel = "m"\nwindow = 5': (
        "[targets.x], window: there is no such key; did you mean window_tokens?."
    ),
    '[targets.x]\nprovider = "local"\ntask = "chat"\nmodel = "m"\nper_minute = "5"': (
        "[targets.x], per_minute: expected `int | null`, got `str`."
    ),
    '[targets.x]\nprovider = "local"\ntask = "chat"\nmodel = "m"\nper_minute = 0': (
        "[targets.x], per_minute: it is 0, and must be more than 0."
    ),
    '[targets.x]\nprovider = "local"\ntask = "chat"\nmodel = "m"\nquality = 1.5': (
        "[targets.x], quality: it is 1.5, and must be between 0 and 1."
    ),
    '[[routes]]\ntask = "chat"\ncandidates = ["nera"]': (
        "[[routes]] number 1, candidates: there is no [targets.nera]; did you mean near?."
    ),
    '[[routes]]\ntask = "speech"\ncandidates = ["near"]': (
        "[[routes]] number 1, candidates: near is a target for chat, not for speech."
    ),
    '[[routes]]\ntask = "chat"\n[[routes]]\ntask = "chat"\nfeature = "dj"': (
        "[[routes]] number 2, feature: number 1 matches all of it before."
    ),
    '[providers.mars]\nplace = "mars"': "[providers.mars], place: invalid enum value 'mars'.",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text.replace("\n", " "))
def test_what_is_wrong_in_a_file_is_named_with_its_place(tmp_path: Path, text: str) -> None:
    """File, table and key: an operator finds it at once."""
    with pytest.raises(Misconfigured) as wrong:
        read(tmp_path, f"{SMALL}\n{text}\n")
    assert WRONG[text] in str(wrong.value)
    assert "routes.toml" in str(wrong.value)


def test_a_file_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    """The setting is what has to change."""
    with pytest.raises(Misconfigured, match=r"nowhere\.toml of TONETOUCH_AI_ROUTES cannot be read"):
        Routes.load(tmp_path / "nowhere.toml")


PROSE = {
    "English": "The album was recorded over three weeks in a rented farmhouse, and its slow arrangements won many. ",
    "German": "Das Album entstand in drei Wochen in einem Bauernhaus; die ruhigen Arrangements wurden später gelobt. ",
    "Russian": "Альбом был записан за три недели в арендованном доме, и его аранжировки полюбились ночному радио. ",
    "Arabic": "تم تسجيل الألبوم على مدى ثلاثة أسابيع في مزرعة مستأجرة وأصبحت ترتيباته البطيئة مفضلة لدى الإذاعة. ",
    "Chinese": "这张专辑用了三周时间在租来的农舍里录制，缓慢而耐心的编曲使它成为深夜电台的最爱。",
    "Japanese": "このアルバムは三週間かけて借りた農家で録音され、その静かな編曲は深夜ラジオで愛された。",
    "Hindi": "यह एल्बम किराए के फार्महाउस में तीन सप्ताह में रिकॉर्ड किया गया था। ",
    "Thai": "อัลบั้มนี้บันทึกเสียงเป็นเวลาสามสัปดาห์ในบ้านไร่ที่เช่าไว้ และการเรียบเรียงที่ช้าและอดทน",
    "facts": "F17 | artist.split | 2019-04-13 | source musicbrainz | fetched 2026-11-20 | trust 3\n",
    "digits": "1234567890",
}


@pytest.mark.parametrize("kind", PROSE)
def test_our_count_of_tokens_is_never_short_and_seldom_far(kind: str) -> None:
    """Beside the embedded engine's vocabulary of 32,000 pieces: from the same to three times as many."""
    wordllama = pytest.importorskip("wordllama")
    tokenizers = pytest.importorskip("tokenizers")
    [vocabulary] = (Path(wordllama.__file__).parent / "tokenizers").glob("*.json")
    text = PROSE[kind] * 20
    counted = (
        len(tokenizers.Tokenizer.from_file(str(vocabulary)).encode(text, add_special_tokens=False).ids) - 1
    )  # its first space
    assert 1.0 <= count_tokens(text) / counted <= 3.1


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one: str, other: str) -> None:
    """Whatever the text holds, counting it works, and adding to it never makes it smaller."""
    assert 0 <= count_tokens(one) <= count_tokens(one + other) <= count_tokens(one) + count_tokens(other)


def test_a_request_is_as_large_as_what_is_read_at_once() -> None:
    """A conversation as a whole with its prefix; texts one by one; a passage beside its query."""
    context = Chat(messages=(Message("user", "a" * 30),), context="a" * 3_000, instructions="a" * 300, max_tokens=7)
    assert measure(context) == Size(prompt_tokens=1_110, prefix_tokens=1_000, answer_tokens=7)
    assert measure(Embeddings(texts=("a" * 30, "a" * 60))) == Size(prompt_tokens=30, at_once=20)
    assert measure(Embeddings(texts=())).window_tokens == 0
    assert measure(Rerank(query="a" * 3, passages=("a" * 30, "a" * 60))) == Size(prompt_tokens=32, at_once=21)
    assert measure(Translation(text="a" * 30, source="en", target="de")).window_tokens == 20
    assert measure(Moderation(text="a" * 30)).prompt_tokens == 10
    assert measure(Speech(text="a" * 30)).prompt_tokens == 0


def test_a_choice_that_another_time_may_allow_is_unavailable(tmp_path: Path) -> None:
    """Whoever retries what is unavailable retries this too."""
    with pytest.raises(Unavailable):
        small(tmp_path, candidates='["near"]').choose(chat(), feature="x", available=EVERY, excluded={"near": "cut"})
