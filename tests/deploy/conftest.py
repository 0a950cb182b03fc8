"""What every test of the launcher starts from."""

import os

import pytest


@pytest.fixture(autouse=True)
def _nothing_set_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the person who runs the tests do not reach them."""
    for name in os.environ:
        if name.startswith("TONETOUCH_"):
            monkeypatch.delenv(name)
