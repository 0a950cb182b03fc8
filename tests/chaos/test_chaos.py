"""A short run of chaos among the long tests; ``just chaos`` is the long one."""

from pathlib import Path

import pytest

from tests.chaos.__main__ import run


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_every_promise_is_kept(tmp_path: Path) -> None:
    """Two dozen faults: nothing is lost, done twice, out of order or rebuilt differently."""
    assert run(tmp_path, rounds=24, minutes=None, seed=3) == []
