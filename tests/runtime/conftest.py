"""What tests of the runtime start from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tonetouch_runtime import Settings


@pytest.fixture(name="settings")
def _settings(settings_in: Callable[[Path], Settings], tmp_path: Path) -> Settings:
    """An installation where everything is allowed: the services of these tests are made up, so nobody declares them."""
    return settings_in(tmp_path).model_copy(update={"nats_user": ""})
