"""One track, all the way: uploaded, ingested, published, found by meaning, played, recommended, and in the ledger."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.journeys.platform import Platform, running_platform
from tests.sounds import encode, song
from tonetouch_deploy.commands import app

STEPS = ("stage", "fingerprint", "dedupe", "analyse", "embed", "describe_cover", "write_about", "publish")


@pytest.fixture(scope="module", name="platform")
def _platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Started once on an empty folder, with the demo album."""
    with running_platform(tmp_path_factory.mktemp("journey") / "data") as platform:
        yield platform


@pytest.fixture(scope="module", name="demo")
def _demo(platform: Platform) -> list[Any]:
    """The demo album, when all of it is published."""

    def published() -> bool:
        items = platform.get("/tracks", limit=50)["items"]
        return len(items) >= 8 and all(track["status"] == "published" for track in items)

    platform.until(published, 300.0)
    items: list[Any] = platform.get("/tracks", limit=50)["items"]
    return items


def by_title(tracks: list[Any], title: str) -> Any:
    return next(track for track in tracks if track["title"] == title)


@pytest.mark.timeout(600)
def test_an_empty_catalogue_becomes_eight_published_tracks(demo: list[Any]) -> None:
    """Each with what was measured, what was guessed marked as guessed, a cover with words, and lyrics."""
    assert len(demo) == 8
    for track in demo:
        assert 44 <= track["duration_seconds"] <= 61
        assert track["loudness_lufs"] < 0
        assert track["cover_url"]
        assert track["cover_alt"]
        assert "cover_alt" in track["guessed"]
    assert len({track["key"] for track in demo}) > 4


def test_every_step_is_shown_and_has_its_row_in_the_ledger(platform: Platform, demo: list[Any]) -> None:
    """Eight steps done, and an AIJobs row for each with the step's job id."""
    track = demo[0]["id"]

    def complete() -> bool:
        return all(step["state"] == "done" for step in platform.get(f"/ingest/{track}")["steps"])

    platform.until(complete)
    ingest = platform.get(f"/ingest/{track}")
    assert [step["name"] for step in ingest["steps"]] == list(STEPS)
    jobs = platform.get("/ai/jobs", subject=f"track:{track}", limit=100)["items"]
    recorded = {job["id"] for job in jobs if job["outcome"] == "succeeded"}
    assert {step["job_id"] for step in ingest["steps"]} <= recorded
    assert all(job["provider"] == "local" and job["cost_usd"] == 0 for job in jobs)


def test_texts_are_written_on_request_and_every_sentence_names_its_facts(platform: Platform, demo: list[Any]) -> None:
    """A biography, a review and notes; from a sentence to its facts, and from the text to its row in the ledger."""
    track = demo[0]
    for path, kinds in ((f"/artists/{track['artist_id']}/copy", 1), (f"/albums/{track['album_id']}/copy", 2)):
        assert platform.post(path).status_code == 202

        def written(path: str = path, kinds: int = kinds) -> bool:
            return [text["status"] for text in platform.get(path)["items"]] == ["written"] * kinds

        platform.until(written)
        for text in platform.get(path)["items"]:
            known = {fact["id"] for fact in text["facts"]}
            assert text["sentences"]
            assert all(sentence["facts"] and set(sentence["facts"]) <= known for sentence in text["sentences"])
            (job,) = platform.get("/ai/jobs", subject=text["subject"], feature=f"copy.{text['kind']}")["items"]
            assert (job["id"], job["provider"]) == (text["written_by"], "local")


def test_a_description_in_words_finds_the_track(platform: Platform, demo: list[Any]) -> None:
    """'a slow sad piano piece' finds the slow minor one first."""
    found = platform.get("/search", q="a slow sad piano piece")["items"]
    assert found[0]["track"]["title"] == "Last Tram in the Rain"
    similar = platform.get(f"/tracks/{found[0]['track']['id']}/similar")["items"]
    assert found[0]["track"]["id"] not in [hit["track"]["id"] for hit in similar]
    assert len(similar) >= 3


def test_indexes_are_made_anew_and_answer_as_before(platform: Platform, demo: list[Any]) -> None:
    """At the terminal, to the end; then the list shows all five, with nothing left to follow."""
    asked = {"q": "slow and calm, to fall asleep", "limit": 8}
    before = [item["id"] for item in platform.get("/search", **asked)["items"]]
    environment = {"TONETOUCH_DATA": str(platform.data), "COLUMNS": "200"}
    result = CliRunner().invoke(app, ["indexes", "rebuild", "tracks"], env=environment)
    assert (result.exit_code, "tracks made anew." in result.output) == (0, True), result.output
    assert [item["id"] for item in platform.get("/search", **asked)["items"]] == before
    tracks = platform.get("/indexes")["items"][0]
    assert (tracks["name"], tracks["points"] >= len(demo), tracks["refused"]) == ("tracks", True, 0)


def test_an_operator_sees_an_upload_as_one_story(platform: Platform, demo: list[Any]) -> None:
    """From its upload to its publishing, over the streams of all services, and what it was after each event."""

    def asked(*arguments: str) -> Any:
        result = CliRunner().invoke(app, ["events", *arguments, "--json"], env={"TONETOUCH_DATA": str(platform.data)})
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    track = demo[0]["id"]
    flow = asked("flow", track)
    assert {"CATALOG", "INGEST", "AI"} <= {hop["stream"] for hop in flow["hops"]}
    assert [hop["type"] for hop in flow["hops"] if hop["depth"] == 0] == ["track.uploaded"]
    assert "track.published" in {hop["type"] for hop in flow["hops"]}
    history = asked("history", track)
    assert {state["noun"] for state in history["states"]} >= {"Track", "Upload"}
    assert history["notes"] == []
    assert asked("drift") == []


def test_the_operations_page_shows_the_same(platform: Platform, demo: list[Any]) -> None:
    """Every service answers, nothing is parked, the uploads are at their end, and the story is that of the log."""
    assert platform.http.get("/operations").status_code == 200
    lag = platform.get("/operations/lag")
    assert lag["silent"] == []
    assert {part["service"] for part in lag["items"]} == {"catalog", "ingest", "recommend", "agents", "ai-ledger"}
    assert platform.get("/operations/parked")["items"] == []
    heads = {stream["name"]: stream["head"] for stream in platform.get("/operations/streams")["items"]}
    assert min(heads[name] for name in ("CATALOG", "INGEST", "AI")) > len(demo)

    def at_their_end() -> bool:
        board = platform.get("/operations/pipeline", limit=200)
        assert board["steps"] == list(STEPS)
        standing = {upload["track_id"]: upload["at"] for upload in board["items"]}
        return [standing[track["id"]] for track in demo] == [None] * len(demo)

    platform.until(at_their_end)
    environment = {"TONETOUCH_DATA": str(platform.data)}
    told = CliRunner().invoke(app, ["events", "flow", demo[0]["id"], "--json"], env=environment)
    assert told.exit_code == 0, told.output
    shown = platform.get(f"/operations/flows/{demo[0]['id']}")
    assert {hop["id"] for hop in json.loads(told.stdout)["hops"]} <= {hop["id"] for hop in shown["hops"]}
    assert {"CATALOG", "INGEST", "AI"} <= {hop["stream"] for hop in shown["hops"]}


def test_another_team_reads_what_was_published(platform: Platform, demo: list[Any]) -> None:
    """With the address that is printed for it and an example that knows the contracts alone."""
    told = CliRunner().invoke(app, ["reader"], env={"TONETOUCH_DATA": str(platform.data)})
    assert told.exit_code == 0, told.output
    example = Path(__file__).parents[2] / "examples/contracts/tracks.py"
    environment = {**os.environ, "TONETOUCH_READER": told.stdout.strip()}
    said = subprocess.run([sys.executable, str(example)], env=environment, capture_output=True, text=True, timeout=60)
    assert {f"{track['title']} ({track['id']})" for track in demo} <= set(said.stdout.splitlines()), said.stderr


def test_audio_is_played_in_ranges(platform: Platform, demo: list[Any]) -> None:
    """A part is a 206 with its place, the whole is the sum, and an impossible part is a 416."""
    path = f"/api/v1/tracks/{demo[0]['id']}/audio"
    whole = platform.http.get(path)
    assert whole.status_code == 200
    part = platform.http.get(path, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole.content)}"
    beyond = platform.http.get(path, headers={"Range": f"bytes={len(whole.content)}-"})
    assert beyond.status_code == 416
    unchanged = platform.http.get(path, headers={"If-None-Match": whole.headers["etag"]})
    assert unchanged.status_code == 304


def test_three_plays_make_a_mix(platform: Platform, demo: list[Any]) -> None:
    """The mix says because of what, and does not offer what was just heard first."""
    heard = [track["id"] for track in demo[:3]]
    for track in heard:
        answer = platform.post("/plays", {"track_id": track, "heard_seconds": 45})
        assert answer.status_code in (200, 201, 202), answer.text

    def mixed() -> bool:
        (mix,) = platform.get("/me/made-for-you")["items"]
        return any(entry["because"] for entry in mix["tracks"])

    platform.until(mixed)
    (mix,) = platform.get("/me/made-for-you")["items"]
    assert mix["name"]
    assert mix["reason"]
    offered = [entry["track"]["id"] for entry in mix["tracks"]]
    assert offered
    assert offered[0] not in heard


@pytest.mark.timeout(300)
def test_a_folder_of_other_formats_arrives_and_another_codec_is_a_duplicate(
    platform: Platform, demo: list[Any], tmp_path: Path
) -> None:
    """MP3, FLAC, Opus and Ogg are published; one of them as M4A is the same recording."""
    files = [
        encode(song(seed, seconds=40.0, bpm=90.0 + 20 * seed), tmp_path / f"song {seed}{suffix}")
        for seed, suffix in enumerate((".mp3", ".flac", ".opus", ".ogg"), start=11)
    ]
    ids = [platform.upload(file, title=file.stem).json()["id"] for file in files]
    tracks = platform.settled(ids)
    assert {track["status"] for track in tracks.values()} == {"published"}
    again = encode(song(12, seconds=40.0, bpm=90.0 + 20 * 12), tmp_path / "again.m4a")
    repeated = platform.upload(again).json()["id"]
    track = platform.settled([repeated])[repeated]
    assert (track["status"], track["duplicate_of"]) == ("duplicate", ids[1])


@pytest.mark.timeout(300)
def test_the_same_file_twice_at_the_same_moment_is_one_track(platform: Platform, tmp_path: Path) -> None:
    """Exactly one is published; the other says whose duplicate it is."""
    file = encode(song(77, seconds=20.0), tmp_path / "twice.flac")
    ids = [platform.upload(file).json()["id"] for _ in range(2)]
    tracks = platform.settled(ids)
    assert sorted(track["status"] for track in tracks.values()) == ["duplicate", "published"]


@pytest.mark.timeout(300)
def test_what_is_no_music_is_rejected_with_words(platform: Platform, tmp_path: Path) -> None:
    """Text named .mp3 gets a reason, and leaves nothing in the store."""
    file = tmp_path / "text.mp3"
    file.write_bytes(b"This is not a song.\n" * 500)
    track_id = platform.upload(file).json()["id"]
    track = platform.settled([track_id])[track_id]
    assert track["status"] == "rejected"
    assert track["reason"]
    objects = platform.data / "objects" / "tonetouch"
    platform.until(lambda: not list((objects / "incoming").glob(f"{track_id}*")))


def test_lists_are_paged(platform: Platform, demo: list[Any]) -> None:
    """Lists come page by page, and the pages add up."""
    seen: list[str] = []
    cursor = None
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        page = platform.get("/tracks", limit=3, cursor=cursor)
        seen += [track["id"] for track in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert {track["id"] for track in demo} <= set(seen)
