"""Spans: where they stand in a trace, which are sent, and what is joined or only linked."""

from datetime import UTC, datetime, timedelta

from tonetouch_runtime import stamp
from tonetouch_runtime.telemetry.spans import (
    JOINS_WITHIN_SECONDS,
    MOST_LINKS,
    Kind,
    Span,
    Tracer,
    is_past,
    joined,
    parsed,
)


def context(number: int = 1, *, is_sampled: bool = True) -> str:
    return f"00-{number:032x}-{number:016x}-{'01' if is_sampled else '00'}"


def ago(seconds: float) -> str:
    return stamp(datetime.now(UTC) - timedelta(seconds=seconds))


def test_a_span_stands_below_what_caused_it() -> None:
    """In the same trace, under an id of its own, which is what it hands on."""
    sent: list[Span] = []
    tracer = Tracer(sent.append)
    span, own = tracer.begin("ask", Kind.CLIENT, context(7))
    tracer.end(span)
    assert sent == [span]
    assert (span.trace_id, span.parent) == (7, 7)
    assert parsed(own) == (7, span.span_id, True)
    assert span.ended_ns >= span.began_ns


def test_without_a_cause_a_trace_begins() -> None:
    """And no two of them are the same; a cause that is none counts as none."""
    tracer = Tracer(lambda span: None)
    traces = {tracer.begin("ask", Kind.CLIENT, parent)[0].trace_id for parent in (None, None, "nonsense", "00-0-0-01")}
    assert len(traces) == 4


def test_whoever_begins_a_trace_decides_whether_it_is_sent() -> None:
    """A share of them; those who come after do as they were told, whatever share they have."""
    sent: list[Span] = []
    all_of_them, none = Tracer(sent.append, share=1.0), Tracer(sent.append, share=0.0)
    quiet, told = none.begin("ask", Kind.CLIENT, None)
    below, _ = all_of_them.begin("answer", Kind.SERVER, told)
    loud, _ = none.begin("answer", Kind.SERVER, context(3))
    for span in (quiet, below, loud):
        none.end(span)
    assert sent == [loud]


def test_half_of_the_traces_are_half_of_them() -> None:
    """By their ids, so that nothing has to be agreed on."""
    tracer = Tracer(lambda span: None, share=0.5)
    sampled = [tracer.begin("ask", Kind.CLIENT, None)[0].is_sampled for _ in range(2000)]
    assert 800 < sum(sampled) < 1200


def test_what_is_no_traceparent_is_none() -> None:
    """Another version, ids of another length, ids of nothing but zeros."""
    assert parsed(context(5, is_sampled=False)) == (5, 5, False)
    nothing = "00-" + "0" * 32 + "-" + "1" * 16 + "-01"
    for text in ("", "01-" + context()[3:], context() + "0", nothing, "a-b-c-d", context().replace("0001-", "000g-")):
        assert parsed(text) is None, text


def test_an_old_event_is_past() -> None:
    """Five minutes are the border; what has no time is past."""
    assert not is_past(ago(JOINS_WITHIN_SECONDS - 30))
    assert is_past(ago(JOINS_WITHIN_SECONDS + 1))
    assert is_past("yesterday")
    assert is_past("2026-11-22T00:00:00")


def test_a_batch_joins_one_story_and_links_several() -> None:
    """One fresh trace is joined; an old one, or several, are linked, and not without end."""
    assert joined({}) == (None, [])
    assert joined({context(1): ago(1)}) == (context(1), [])
    assert joined({context(1): ago(3600)}) == (None, [context(1)])
    many = {context(number): ago(1) for number in range(1, 2 * MOST_LINKS)}
    parent, links = joined(many)
    assert parent is None
    assert links == list(many)[:MOST_LINKS]
