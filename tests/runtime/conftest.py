"""Errors in the log of a test are plain: a coloured one with every local variable takes longer than most tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from tonetouch_runtime import Settings


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, renderer]
    )


@pytest.fixture(name="settings")
def _settings(settings_in: Callable[[Path], Settings], tmp_path: Path) -> Settings:
    """An installation where everything is allowed: the services of these tests are made up, so nobody declares them."""
    return settings_in(tmp_path).model_copy(update={"nats_user": ""})
