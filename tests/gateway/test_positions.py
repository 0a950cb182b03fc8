"""A client that says how far it has seen the log is answered from at least there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.standins import Installation
from tonetouch_gateway.positions import format_positions, parse_positions
from tonetouch_runtime import Refused

STREAMS = st.from_regex(r"[A-Z][A-Z_]{0,20}", fullmatch=True)


@given(st.dictionaries(STREAMS, st.integers(min_value=0, max_value=10**17), max_size=16))
def test_what_is_said_can_be_sent_back(positions: dict[str, int]) -> None:
    """Both ways it is the same."""
    assert parse_positions(format_positions(positions)) == positions


@given(st.text())
def test_anything_else_is_refused(header: str) -> None:
    """A header is read or refused, and nothing else happens."""
    try:
        positions = parse_positions(header)
    except Refused as refused:
        assert refused.problem.code == "invalid"
    else:
        assert parse_positions(format_positions(positions)) == positions


@pytest.mark.asyncio(loop_scope="package")
async def test_an_upload_can_be_read_back_at_once(installed: Installation) -> None:
    """The answer to a write says its position; sent back, it reaches the service that is asked."""
    answer = await installed.client.post("/api/v1/tracks", files={"file": ("a.mp3", b"abc")})
    position = answer.headers["tonetouch-position"]
    assert position.startswith("CATALOG=")
    read = await installed.client.get(f"/api/v1/tracks/{answer.json()['id']}", headers={"Tonetouch-Position": position})
    assert read.status_code == 200


@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize("header", ["CATALOG", "CATALOG=x", "CATALOG=1;LIBRARY=2", "=1", "CATALOG=" + "9" * 30])
async def test_a_position_nobody_said_is_refused(installed: Installation, header: str) -> None:
    """Rather than ignored: the client would believe to have been heard."""
    answer = await installed.client.get("/api/v1/tracks", headers={"Tonetouch-Position": header})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
