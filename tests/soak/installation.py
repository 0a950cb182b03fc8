"""Processes of one installation whose AI calls go to the simulated cloud."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tonetouch_runtime import Settings


@contextmanager
def process(settings: Settings, cloud: dict[str, str], *command: str) -> Iterator[subprocess.Popen[str]]:
    """``python -m`` with the settings of an installation and an account; killed at the end of the block."""
    environment = os.environ | {
        "TONETOUCH_DATA": str(settings.data),
        "TONETOUCH_NATS_URL": settings.nats_url,
        "TONETOUCH_S3_ENDPOINT": settings.s3_endpoint,
        "TONETOUCH_S3_BUCKET": settings.s3_bucket,
        "TONETOUCH_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "TONETOUCH_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "TONETOUCH_LOG_LEVEL": "error",
        "TONETOUCH_CLOUDFLARE_ACCOUNT": cloud["id"],
        "TONETOUCH_CLOUDFLARE_TOKEN": cloud["token"],
        "TONETOUCH_CLOUDFLARE_GATEWAY": cloud["gateway"],
        "TONETOUCH_CLOUDFLARE_API_URL": cloud["api_url"],
        "TONETOUCH_CLOUDFLARE_GATEWAY_URL": cloud["gateway_url"],
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = subprocess.Popen([sys.executable, "-m", *command], env=environment, text=True, **pipes)  # type: ignore[call-overload]
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        for pipe in (started.stdin, started.stdout):
            if pipe:
                pipe.close()


WORDS = frozenset({"asking", "ready", "done"})


def said(started: subprocess.Popen[str]) -> str:
    """The next word of a process; lines of its log are passed over. Empty where it has ended."""
    assert started.stdout is not None
    for line in started.stdout:
        if line.strip() in WORDS:
            return line.strip()
    return ""
