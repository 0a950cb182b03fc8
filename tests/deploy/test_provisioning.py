"""`tonetouch provision` as an operator runs it: a process of its own, against the real bus and object store."""

import os
import subprocess
import sys
from pathlib import Path

import nats
from nats.js.api import RetentionPolicy, StreamConfig

from tests.servers import ObjectStoreServer, free_port
from tonetouch_contracts import manifest
from tonetouch_runtime import Settings as RuntimeSettings


def provision(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command with these settings and return what it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TONETOUCH_")}
    return subprocess.run(
        [sys.executable, "-m", "tonetouch_deploy.commands", "provision"],
        env=environment | {"TONETOUCH_DATA": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=100,
    )


def told(settings: RuntimeSettings) -> dict[str, str]:
    """The settings as an operator's environment."""
    return {
        "TONETOUCH_NATS_URL": settings.nats_url,
        "TONETOUCH_S3_ENDPOINT": settings.s3_endpoint,
        "TONETOUCH_S3_BUCKET": "provisioned",
        "TONETOUCH_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "TONETOUCH_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
    }


async def test_provisioning_makes_what_the_manifest_declares_and_says_so(
    settings: RuntimeSettings, tmp_path: Path, s3: ObjectStoreServer
) -> None:
    """Every stream and consumer and the bucket are there afterwards; asked again there is nothing to do."""
    first = provision(tmp_path, **told(settings))
    assert first.returncode == 0, first.stderr
    made = first.stdout.splitlines()
    assert {f"made stream {stream.name}" for stream in manifest.STREAMS} <= set(made)
    assert {f"made consumer {consumer.name}" for consumer in manifest.CONSUMERS} <= set(made)
    assert (s3.folder / "provisioned").is_dir()
    again = provision(tmp_path, **told(settings))
    assert (again.returncode, again.stdout.count("\n")) == (0, 1)
    assert "nothing to do" in again.stdout


async def test_what_goes_wrong_is_one_sentence(settings: RuntimeSettings, tmp_path: Path) -> None:
    """A store that does not answer, a change the server refuses, a bad setting: a sentence, a failure, no traceback."""
    right = told(settings)
    bus = await nats.connect(settings.nats_url)
    foreign = StreamConfig(name="CATALOG", subjects=["foreign.*"], retention=RetentionPolicy.WORK_QUEUE)
    await bus.jetstream().add_stream(foreign)
    for words, variables in (
        ("the bus refused", right),
        ("S3_ACCESS_KEY is missing", right | {"TONETOUCH_S3_ENDPOINT": "http://store", "TONETOUCH_S3_ACCESS_KEY": ""}),
    ):
        said = provision(tmp_path, **variables)
        assert said.returncode == 1
        assert said.stderr.startswith("provisioning failed: ")
        assert said.stderr.count("\n") == 1, said.stderr
        assert words in said.stderr
    await bus.jetstream().delete_stream("CATALOG")
    await bus.close()
    silent = provision(tmp_path, **right | {"TONETOUCH_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    assert (silent.returncode, silent.stderr.count("\n")) == (1, 1)
    assert "the object store is unavailable" in silent.stderr
