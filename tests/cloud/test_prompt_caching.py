"""The two rules of prompt caches, apart from any provider."""

from hypothesis import given
from hypothesis import strategies as st

from tests.cloud.prompt_caching import Block, Lifetime, PromptCache, common_prefix, marked_prefixes

MINIMUM = 100
REQUESTS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, "5m", "1h"])), min_size=1, max_size=8),
    min_size=1,
    max_size=6,
)


def blocks_of(request: list[tuple[int, Lifetime | None]]) -> list[Block]:
    """Blocks of 60 tokens; each key holds everything before it."""
    contents = [str(content) for content, _ in request]
    return [Block("/".join(contents[: index + 1]), 60 * (index + 1), mark) for index, (_, mark) in enumerate(request)]


@given(REQUESTS)
def test_a_marked_request_is_divided_and_the_next_reads_what_it_wrote(
    requests: list[list[tuple[int, Lifetime | None]]],
) -> None:
    """Read and written never exceed the input; asked again at once, nothing is written any more."""
    cache = PromptCache()
    for request in requests:
        blocks = blocks_of(request)
        kept = marked_prefixes(cache, blocks, minimum=MINIMUM, now=0.0)
        last = max((block.tokens for block in blocks if block.mark and block.tokens >= MINIMUM), default=0)
        assert kept.read + kept.written_5m + kept.written_1h == last <= blocks[-1].tokens
        kept.commit(cache, 0.0)
        again = marked_prefixes(cache, blocks, minimum=MINIMUM, now=299.0)
        assert (again.read, again.written_5m, again.written_1h) == (last, 0, 0)


def test_nothing_is_read_before_the_answer_that_wrote_it_has_begun() -> None:
    """Looking alone keeps nothing."""
    cache, blocks = PromptCache(), [Block("a", 200, "5m")]
    assert marked_prefixes(cache, blocks, minimum=MINIMUM, now=0.0).read == 0
    assert marked_prefixes(cache, blocks, minimum=MINIMUM, now=0.0).read == 0


@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_a_common_prefix_is_read_in_whole_steps(first: str, second: str) -> None:
    """Never more than both have in common, never less than all whole steps of it."""
    cache = PromptCache()

    def ask(text: str) -> int:
        prompt = "".join(one * 256 for one in text)  # each letter fills half a step
        kept = common_prefix(cache, prompt, scope="x", minimum=128, now=0.0, seconds=60.0)
        kept.commit(cache, 0.0)
        return kept.read

    ask(first)
    common = next((at for at, (one, other) in enumerate(zip(first, second, strict=False)) if one != other), None)
    shared = min(len(first), len(second)) if common is None else common
    assert ask(second) == shared // 2 * 128


def test_a_cache_forgets_what_is_over() -> None:
    """However many prefixes go through it, only the living ones stay."""
    cache = PromptCache()
    for number in range(240_000):
        cache.keep(f"{number}", now=float(number), seconds=10.0)
    assert len(cache._until) < 120_000
