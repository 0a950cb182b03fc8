"""Headers are read the short way only where that reads the same as the client's own."""

from hypothesis import example, given
from hypothesis import strategies as st
from nats.aio.client import Client

from tonetouch_contracts.envelope import AS_WRITTEN, Envelope
from tonetouch_runtime._headers import quicken

lines = st.one_of(
    st.tuples(st.sampled_from(sorted(AS_WRITTEN)), st.sampled_from([":", ": ", ":\t", ""]), st.text()).map("".join),
    st.text(),
    st.sampled_from(["", "a b: c", "Status: 100", "ce-id: x\x1c", "ce-id : x", "CE-ID: x"]),
)


def quick() -> Client:
    client = Client()
    quicken(client)
    return client


@given(st.lists(lines))
@example([min(AS_WRITTEN)])
def test_every_block_reads_as_the_client_reads_it(block: list[str]) -> None:
    """Known names, unknown ones, spaces anywhere, text outside ASCII: the answer is always the client's own."""
    raw = "\r\n".join([*block, "", ""]).encode("utf-8", "replace")
    assert quick()._parse_header_lines(raw) == Client._parse_header_lines(raw)


def test_our_own_headers_never_need_the_long_way() -> None:
    """What an envelope writes is known by name, so the client is not asked."""
    headers = Envelope(id="1", type="a.b", source="s", subject="x", time="t", causation="c").to_headers()
    assert headers.keys() <= AS_WRITTEN
    client = quick()
    raw = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items()) + b"\r\n"
    assert client._parse_header_lines(raw) == headers
