"""The log: one JSON object per line, each with its story and its trace; never a secret."""

import asyncio
import signal
from pathlib import Path

from tests.runtime.installation import provision
from tests.runtime.processes import service, variables
from tonetouch_runtime import Settings
from tonetouch_runtime._telemetry import Cause, caused_by, current_cause, new_traceparent

LOGGING = """
import logging, structlog
from tonetouch_runtime._telemetry import Cause, caused_by, configure_logs
configure_logs("tiny", "info")
with caused_by(Cause(causation="c", correlation="a\\nstory", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")):
    structlog.get_logger().info("said_inside", number=1)
    logging.getLogger("library").warning("a library's %s", "words")
    try:
        raise RuntimeError("two\\nlines")
    except RuntimeError:
        structlog.get_logger().exception("broke")
structlog.get_logger().info("said_outside")
structlog.get_logger().debug("too quiet")
"""


def test_every_line_is_an_object_with_its_story(tmp_path: Path) -> None:
    """Ours, a library's and an error's of several lines alike; outside there is no story."""
    with service(tmp_path, {}, LOGGING) as tiny:
        assert tiny.ended() == 0
    lines = tiny.logged
    assert len(lines) == len(tiny.complained) == 4
    for line in lines[:3]:
        assert (line["service"], line["correlation_id"], line["causation_id"]) == ("tiny", "a\nstory", "c")
        assert line["trace_id"] == "a" * 32
    assert [line["level"] for line in lines] == ["info", "warning", "error", "info"]
    assert "RuntimeError: two\nlines" in str(lines[2]["exception"])
    assert "correlation_id" not in lines[3]


def test_causes_nest_and_end() -> None:
    """Inside another cause it is that one; afterwards it is the first again."""
    with caused_by(Cause(correlation="outer")):
        with caused_by(Cause(correlation="inner")):
            assert current_cause().correlation == "inner"
        assert current_cause().correlation == "outer"
    assert current_cause() == Cause()


def test_a_trace_begins_as_the_standard_says() -> None:
    """Version, 16 bytes, 8 bytes, sampled; never the same twice."""
    version, trace, span, flags = new_traceparent().split("-")
    assert (version, len(bytes.fromhex(trace)), len(bytes.fromhex(span)), flags) == ("00", 16, 8, "01")
    assert new_traceparent() != new_traceparent()


async def test_secrets_are_never_logged(settings: Settings, tmp_path: Path) -> None:
    """A service that starts, works, fails to reach things and stops has shown none of its secrets."""
    await provision(settings)
    secrets = {"TONETOUCH_ADMIN_TOKEN": "hidden-token", "TONETOUCH_LOG_LEVEL": "debug"}
    with service(tmp_path, {**variables(settings), **secrets}) as tiny:
        await asyncio.to_thread(tiny.until, lambda: "service_started" in tiny.logged_events())
        tiny.tell(signal.SIGTERM)
        assert tiny.ended() == 0
    wrong = {"TONETOUCH_DATABASE_URL": "postgresql+psycopg://u:hidden-password@127.0.0.1:1/d"}
    with service(tmp_path, {**variables(settings), **secrets, **wrong}) as refused:
        assert refused.ended() == 78
    said = "\n".join(refused.complained)
    assert "TONETOUCH_DATABASE_URL cannot be opened" in said
    password = settings.nats_url.split("//")[1].split("@")[0].split(":")[1]
    for secret in ("hidden", settings.object_store.secret_key, f":{password}@"):
        assert secret not in said
