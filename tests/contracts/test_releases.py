"""What other teams were once promised holds for ever, and the changelog says what was added since."""

import copy
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from tests.contracts.golden import CONTRACTS, EVENT_SAMPLES, wire_name
from tests.contracts.songs import AT_FIRST, LATER, SongRated, SongRatedV2
from tonetouch_contracts import releasing
from tonetouch_contracts.documents.asyncapi import asyncapi_document
from tonetouch_contracts.documents.catalogue import pages
from tonetouch_contracts.documents.changelog import changelog, versions_of
from tonetouch_contracts.documents.releases import (
    Release,
    Shapes,
    broken_promises,
    differing,
    next_version,
    read_releases,
    shapes_after,
    write_release,
)
from tonetouch_contracts.documents.schemas import event_schemas
from tonetouch_contracts.generating import released_and_now
from tonetouch_contracts.manifest import Stream, vocabulary

FIRST = Release(version="0.1.0", date="2026-01-31", words="Songs are rated.", events=event_schemas(AT_FIRST))


def grown(shapes: Shapes, field: str, kind: str = "string") -> Shapes:
    """The same shapes, each with one more optional field."""
    more = copy.deepcopy(shapes)
    for shape in more.values():
        shape["properties"][field] = {"type": kind, "default": ""}
    return more


def test_no_release_is_broken_by_the_shapes_of_today() -> None:
    """Every shape that was ever promised is read by today's readers, and its readers read today's events."""
    releases, shapes = released_and_now(CONTRACTS)
    assert [release.version for release in releases][:2] == ["0.1.0", "0.2.0"]
    assert broken_promises(releases, shapes) == []


@pytest.mark.parametrize("release", read_releases(CONTRACTS), ids=lambda release: release.version)
def test_what_is_said_today_passes_the_schemas_of_every_release(release: Release) -> None:
    """A team that validates with the schemas of its day takes every event that was ever said, and will be."""
    for sample in EVENT_SAMPLES:
        if schema := release.events.get(wire_name(sample)):
            Draft202012Validator(schema).validate(json.loads(sample.read_bytes()))


def test_a_break_with_any_release_is_found_not_only_with_the_last() -> None:
    """A field that came and went again, and one that changed its type in two steps, are both held against the log."""
    second = Release(version="0.2.0", date="2026-02-28", words="Words.", events=grown(FIRST.events, "words"))
    assert broken_promises([FIRST, second], second.events) == []
    assert broken_promises([FIRST, second], FIRST.events) == ["song.rated: words was removed"]
    retyped = grown(FIRST.events, "words", "integer")
    assert broken_promises([FIRST, second], retyped) == [
        "song.rated: words may no longer be string",
        "song.rated: words may now be integer",
    ]


def test_an_event_that_is_gone_is_refused() -> None:
    """The log has it for ever, and so have other teams: leaving it out is no way to be rid of it."""
    (line,) = broken_promises([FIRST], {})
    assert line.startswith("song.rated: is gone")
    assert "upcaster" in line


@pytest.mark.parametrize(("keyword", "value"), [("x-stream", "OPERAS"), ("x-subject", "song.rated.{opera_id}")])
def test_an_event_stays_where_it_is_said(keyword: str, value: str) -> None:
    """Another stream or another entity is silence for whoever listens at the old place."""
    (line,) = broken_promises([FIRST], {"song.rated": {**FIRST.events["song.rated"], keyword: value}})
    assert "would wait for ever" in line


def test_the_way_out_is_a_new_name_with_an_upcaster() -> None:
    """What is refused within a name is allowed beside it: the old shape stays, marked, and is read as the new one."""
    in_place: dict[str, Any] = {**event_schemas(LATER)["song.rated-v2"], "x-subject": "song.rated.{song_id}"}
    refused = broken_promises([FIRST], {"song.rated": in_place})
    assert "song.rated: stars was removed" in refused
    assert "song.rated: percent is new and required" in refused
    shapes = event_schemas(LATER)
    assert broken_promises([FIRST], shapes) == []
    assert shapes["song.rated"]["deprecated"]
    assert shapes["song.rated"]["x-replaced-by"] == "song.rated-v2"
    body = msgspec.json.encode(SongRated(song_id="s1", stars=4))
    assert vocabulary([LATER]).decode("song.rated", body) == SongRatedV2(song_id="s1", percent=80)


def test_a_retired_shape_says_so_wherever_other_teams_look() -> None:
    """Changelog, page and AsyncAPI document name what took its place, and nobody says it any more."""
    assert "- Said no more: `song.rated`; `song.rated-v2` took its place." in changelog([FIRST], event_schemas(LATER))
    assert "**Said no more:** [`song.rated-v2`]" in pages([LATER], [], {}, [FIRST])["song.rated"]
    document = asyncapi_document("critic", [LATER], {}, "0.2.0")
    assert document["channels"]["song.rated"]["x-replaced-by"] == "song.rated-v2"
    assert list(document["operations"]) == ["say.song.rated-v2"]


def test_the_changelog_names_what_is_new_and_what_grew() -> None:
    """Newest first; what no release holds yet stands above all of them."""
    second = Release(version="0.2.0", date="2026-02-28", words="Why it grew.", events=grown(FIRST.events, "words"))
    text = changelog([FIRST, second], {**second.events, **event_schemas(LATER), **second.events})
    chapters = [line for line in text.splitlines() if line.startswith("## ")]
    assert chapters == ["## Not released yet", "## 0.2.0 (2026-02-28)", "## 0.1.0 (2026-01-31)"]
    assert "- New: `song.rated` on SONGS. The song was given stars, one to five." in text
    assert "- Grown: `song.rated` by `words` (string)." in text
    assert "- New: `song.rated-v2` on SONGS." in text.partition("## 0.2.0")[0]
    assert "Not released yet" not in changelog([FIRST, second], second.events)


def test_better_words_are_no_growth() -> None:
    """A description that changed is told as such, and the page still says since when the event has its fields."""
    reworded = copy.deepcopy(FIRST.events)
    reworded["song.rated"]["description"] = "Better words."
    second = Release(version="0.2.0", date="2026-02-28", words="Words.", events=reworded)
    assert "- Other words or marks, the same on the wire: `song.rated`." in changelog([FIRST, second], reworded)
    assert versions_of("song.rated", [FIRST, second]) == ["0.1.0"]
    third = Release(version="0.3.0", date="2026-03-31", words="More.", events=grown(reworded, "words"))
    assert versions_of("song.rated", [FIRST, second, third]) == ["0.1.0", "0.3.0"]


def test_versions_count_up_in_numbers(tmp_path: Path) -> None:
    """After 0.9.0 comes 0.10.0, which is the newer one; what is not released is marked as coming."""
    for version in ("0.10.0", "0.9.0"):
        write_release(tmp_path, Release(version=version, date="2026-01-31", words="Songs.", events=FIRST.events))
    releases = read_releases(tmp_path)
    assert [release.version for release in releases] == ["0.9.0", "0.10.0"]
    assert next_version(releases, FIRST.events) == "0.10.0"
    assert next_version(releases, grown(FIRST.events, "words")) == "0.11.0-unreleased"
    assert next_version([], FIRST.events) == "0.1.0-unreleased"


def test_a_release_is_written_once(tmp_path: Path) -> None:
    """What was promised cannot be replaced by another promise under the same version."""
    path = write_release(tmp_path, FIRST)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        write_release(tmp_path, msgspec.structs.replace(FIRST, events={}))
    assert path.read_bytes() == before
    assert read_releases(tmp_path) == [FIRST]


def test_releasing_promises_what_is_new_and_only_that(tmp_path: Path) -> None:
    """A release holds the shapes that no earlier one has as they are; with nothing new there is no release."""
    shutil.copytree(CONTRACTS / "releases", tmp_path / "releases")
    releases, shapes = released_and_now(tmp_path)
    if differing(shapes_after(releases), shapes):
        assert releasing.main(["2026-12-24", "What is there.", "--root", str(tmp_path)], print) == 0
    newest = read_releases(tmp_path)[-1]
    path = tmp_path / f"releases/{newest.version}.json"
    forgotten = json.loads(path.read_text("utf-8"))
    wire, _ = forgotten["events"].popitem()
    path.write_text(json.dumps(forgotten), "utf-8")
    reported: list[str] = []
    assert releasing.main(["2026-12-31", "One more.", "--root", str(tmp_path)], reported.append) == 0
    again = read_releases(tmp_path)[-1]
    assert reported == [(tmp_path / f"releases/{again.version}.json").as_posix()]
    assert again.events == {wire: shapes[wire]}
    assert releasing.main(["2027-01-31", "Nothing.", "--root", str(tmp_path)], reported.append) == 1


def test_a_release_of_what_breaks_an_earlier_one_is_refused(tmp_path: Path) -> None:
    """Nothing is promised that cannot be kept beside what was promised before."""
    shutil.copytree(CONTRACTS / "releases", tmp_path / "releases")
    path = tmp_path / "releases/0.1.0.json"
    release = json.loads(path.read_text("utf-8"))
    release["events"]["track.rejected"]["properties"]["severity"] = {"type": "string"}
    path.write_text(json.dumps(release), "utf-8")
    count, reported = len(list(path.parent.iterdir())), list[str]()
    assert releasing.main(["2026-12-31", "One more.", "--root", str(tmp_path)], reported.append) == 1
    assert reported == ["track.rejected: severity was removed"]
    assert len(list(path.parent.iterdir())) == count


def test_the_package_has_the_version_of_its_newest_release() -> None:
    """Who installs it sees which promises it knows."""
    project = tomllib.loads((CONTRACTS / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == read_releases(CONTRACTS)[-1].version


@pytest.mark.parametrize("stream", [AT_FIRST, LATER], ids=["at first", "later"])
def test_a_stream_holds_what_was_ever_said_on_it(stream: Stream) -> None:
    """The server keeps taking in and giving out the subjects of retired names."""
    assert "song.rated.*" in stream.subjects
    assert [set(stream.filters(event)) for event in stream.says] == [set(stream.subjects)]
