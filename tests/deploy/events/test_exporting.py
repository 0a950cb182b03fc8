"""`events export` and `events import`: a log to a file, and into an empty installation."""

import base64
import json
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig
from pyarrow import parquet

from tests.deploy.events.conftest import Asked, Command
from tests.deploy.events.story import Story, told
from tests.servers import NatsServer
from tonetouch_contracts import manifest
from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.track import TrackRejected
from tonetouch_deploy.events import importing
from tonetouch_runtime import Bus
from tonetouch_runtime.provisioning import apply


async def empty(nats_server: NatsServer, *, readable: bool = False) -> str:
    """An installation whose streams are there, with nothing in them; a `readable` one knows its operator."""
    url = nats_server.fresh_installation(readable=True).url if readable else nats_server.fresh_account()
    bus = await Bus.connect(url, "empty")
    await apply(bus.jetstream, manifest.STREAMS, [], [])
    await bus.close()
    return url


def lines(path: Path) -> list[dict[str, Any]]:
    """What a file says, line by line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def whole(url: str) -> list[tuple[str, int, str, dict[str, str], bytes]]:
    """Every message of truth: where it stands, and all of it but what guarded its append."""
    client: Client = await nats.connect(url)
    found = []
    for stream in manifest.STREAMS:
        info = await client.jetstream().stream_info(stream.name)
        for sequence in range(1, info.state.last_seq + 1):
            message = await client.jetstream().get_msg(stream.name, sequence)
            guards = ("Nats-Expected", "Nats-Batch")
            headers = {name: value for name, value in (message.headers or {}).items() if not name.startswith(guards)}
            found.append((stream.name, sequence, str(message.subject), headers, bytes(message.data or b"")))
    await client.close()
    return found


async def test_a_line_is_a_cloud_event(asked: Asked, story: Story, tmp_path: Path) -> None:
    """In CloudEvents' JSON format, with where it stood as extensions; streams one after the other."""
    path = tmp_path / "log.ndjson"
    written = await asked("export", str(path))
    assert (written["events"], written["streams"]) == (5, {"CATALOG": 3, "INGEST": 1, "AI": 1})
    found = lines(path)
    assert [f"{line['natsstream']}@{line['natssequence']}" for line in found] == [
        *("CATALOG@1", "CATALOG@2", "CATALOG@3", "INGEST@1", "AI@1")
    ]
    published = found[2]
    assert published["specversion"] == "1.0"
    assert (published["id"], published["type"]) == (story.published.id, "track.published")
    assert (published["causationid"], published["correlationid"]) == (story.started.id, story.correlation)
    assert published["data"]["track_id"] == story.track_id
    assert "natsheaders" not in published


async def test_an_export_is_of_types_entities_and_times(asked: Asked, story: Story, tmp_path: Path) -> None:
    """The filters of `tail`, and two times between which an event was stored."""
    path = tmp_path / "some.ndjson"

    async def found(*filters: str) -> list[str]:
        await asked("export", str(path), *filters)
        return [line["type"] for line in lines(path)]

    assert await found("--type", "job.*") == ["job.started"]
    assert await found("--entity", story.track_id) == ["track.uploaded", "track.published", "ingest.started"]
    assert await found("--to", story.uploaded.time) == []
    assert await found("--from", story.published.time) == ["track.published"]


async def test_standard_output_is_for_pipes(command: Command) -> None:
    """Lines of JSON and nothing else."""
    result = await command("export", "-", "--type", "track.*")
    assert [json.loads(line)["natssequence"] for line in result.stdout.splitlines()] == [1, 2, 3]


async def test_parquet_has_a_row_for_each_event(asked: Asked, story: Story, tmp_path: Path) -> None:
    """Times are times, and the body is text that any engine reads as JSON."""
    path = tmp_path / "log.parquet"
    await asked("export", str(path))
    rows = parquet.read_table(path).to_pylist()
    assert [row["type"] for row in rows if row["entity"] == story.track_id] == [
        *("track.uploaded", "track.published", "ingest.started")
    ]
    assert rows[0]["time"].isoformat().replace("+00:00", "Z") == story.uploaded.time
    assert json.loads(rows[0]["data"])["title"] == "Ærø – 夜"


async def test_a_log_comes_back_as_it_was(nats_server: NatsServer, asked: Asked, tmp_path: Path) -> None:
    """Order, sequences, ids, headers and bytes, also of what nobody can read; afterwards no event is there twice."""
    story = await told(nats_server.fresh_account())
    bus = await nats.connect(story.url)
    strange = [
        (b'{"a": 1}\n', {"Anything": "at all"}),
        (b"\xff", None),
        (b"", None),
        (b"{}", Envelope(id="%1", type="a b", source="/s", subject="é", time="now").to_headers() | {"More": "x"}),
    ]
    for body, headers in strange:
        await bus.jetstream().publish("track.rejected.strange", body, headers=headers)
    await bus.close()
    path = tmp_path / "log.ndjson"
    await asked("export", str(path), url=story.url)
    url = await empty(nats_server, readable=True)
    done = await asked("import", str(path), url=url)
    assert (done["events"], done["there_before"], done["renumbered"]) == (9, 0, [])
    assert await whole(url) == await whole(story.url)
    again = await asked("import", str(path), url=url)
    assert again["there_before"] == 9
    assert await whole(url) == await whole(story.url)


async def test_an_import_that_was_broken_off_goes_on(
    nats_server: NatsServer, asked: Asked, story: Story, tmp_path: Path
) -> None:
    """What is there is the beginning of the file, so only the rest is appended."""
    path, beginning = tmp_path / "log.ndjson", tmp_path / "beginning.ndjson"
    await asked("export", str(path))
    beginning.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    url = await empty(nats_server)
    await asked("import", str(beginning), url=url)
    assert (await asked("import", str(path), url=url))["there_before"] == 2
    assert await whole(url) == await whole(story.url)


async def test_many_events_go_in_several_appends(
    nats_server: NatsServer, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few an append takes, the stream is the same."""
    monkeypatch.setattr(importing, "MOST_AT_ONCE", 2)
    source, target = await told(nats_server.fresh_account()), await empty(nats_server)
    path = tmp_path / "log.ndjson"
    await asked("export", str(path), url=source.url)
    await asked("import", str(path), url=target)
    assert await whole(target) == await whole(source.url)


async def test_a_part_of_a_log_has_other_sequences(nats_server: NatsServer, command: Command, tmp_path: Path) -> None:
    """Which is said: positions that somebody kept do not fit to it."""
    path = tmp_path / "part.ndjson"
    await command("export", str(path), "--type", "track.published")
    result = await command("import", str(path), url=await empty(nats_server))
    assert result.exit_code == 0, result.output
    assert "CATALOG is not whole in the file" in result.output


async def test_another_log_is_not_touched(nats_server: NatsServer, command: Command, tmp_path: Path) -> None:
    """An installation that holds anything else refuses the file before the first event."""
    path = tmp_path / "log.ndjson"
    await command("export", str(path))
    other = await told(nats_server.fresh_account())
    before = await whole(other.url)
    result = await command("import", str(path), url=other.url)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "empty installation" in result.stderr
    assert await whole(other.url) == before


async def test_a_file_that_is_none_is_refused_before_the_first_event(
    nats_server: NatsServer, command: Command, tmp_path: Path
) -> None:
    """With the line that is wrong."""
    url = await empty(nats_server)
    path = tmp_path / "log.ndjson"
    await command("export", str(path))
    good = path.read_bytes()
    place = {"natsstream": "CATALOG", "natssequence": 9, "natssubject": "track.rejected.x", "natstime": ""}
    for bad in (b"no JSON", json.dumps(place).encode(), json.dumps(place | {"data": 1}).encode()):
        path.write_bytes(good + bad + b"\n")
        result = await command("import", str(path), url=url)
        assert (result.exit_code, "Line 6 of" in result.stderr) == (2, True), result.stderr
    elsewhere = place | {"natsstream": "ELSEWHERE", "natsheaders": {}, "data_base64": base64.b64encode(b"1").decode()}
    path.write_bytes(good + json.dumps(elsewhere).encode())
    assert "ELSEWHERE, which is no stream here" in (await command("import", str(path), url=url)).stderr
    assert await whole(url) == []
    missing = await command("import", str(tmp_path / "nothing"), url=url)
    assert (missing.exit_code, "cannot be read" in missing.stderr) == (2, True)


async def test_a_stream_that_does_not_say_an_event_refuses_it(
    nats_server: NatsServer, command: Command, tmp_path: Path
) -> None:
    """The sentence names the event and the server's reason; nothing of its batch is there."""
    url = nats_server.fresh_account()
    client = await nats.connect(url)
    for stream in manifest.STREAMS:
        await client.jetstream().add_stream(
            StreamConfig(name=stream.name, subjects=[f"{stream.name}.*"], allow_direct=True, allow_atomic=True)
        )
    await client.close()
    path = tmp_path / "log.ndjson"
    await command("export", str(path), "--type", TrackRejected.wire_name(), "--type", "track.uploaded")
    result = await command("import", str(path), url=url)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "The log did not take CATALOG@1" in result.stderr


async def test_a_file_that_cannot_be_written_is_one_sentence(command: Command, tmp_path: Path) -> None:
    """And Parquet cannot go into a pipe."""
    nowhere = await command("export", str(tmp_path / "no" / "log.ndjson"))
    assert (nowhere.exit_code, "cannot be written" in nowhere.stderr) == (2, True)
    piped = await command("export", "-", "--format", "parquet")
    assert (piped.exit_code, ".parquet" in piped.stderr) == (2, True)
