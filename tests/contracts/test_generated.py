"""Generated files follow from the types, and nothing else."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.contracts.golden import CONTRACTS
from tonetouch_contracts import generating
from tonetouch_contracts.documents.schemas import every_command
from tonetouch_contracts.manifest import EVENTS

SCHEMAS = sorted((CONTRACTS / "schemas").rglob("*.json"))


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """The generated files as they are committed, and what they are made from, free to be spoiled."""
    for folder in ("schemas", "asyncapi", "catalogue", "samples", "releases"):
        shutil.copytree(CONTRACTS / folder, tmp_path / folder)
    for file in ("README.md", "CHANGELOG.md"):
        shutil.copy(CONTRACTS / file, tmp_path / file)
    yield tmp_path


def everything(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_committed_is_in_step_with_the_types() -> None:
    """Run `python -m tonetouch_contracts.generating` when this fails."""
    assert generating.out_of_step(CONTRACTS) == []


def test_generating_twice_changes_nothing(copy: Path) -> None:
    """The same types give the same bytes: a second run reports and changes nothing."""
    generating.write(copy)
    before = everything(copy)
    assert generating.write(copy) == []
    assert everything(copy) == before


def test_missing_and_spoiled_files_are_written_again_and_left_over_ones_go(copy: Path) -> None:
    """Whatever happened to the generated files, one run brings them back, and the files of removed types go."""
    before = everything(copy)
    (copy / "schemas/events/track.uploaded.json").unlink()
    (copy / "schemas/commands/catalog.show-track.json").write_text("{}")
    (copy / "schemas/events/track.forgotten.json").write_text("{}")
    (copy / "asyncapi/nobody.json").write_text("{}")
    (copy / "catalogue/track.uploaded.md").write_text("")
    (copy / "CHANGELOG.md").unlink()
    (copy / "README.md").write_text(
        (copy / "README.md").read_text("utf-8").replace("| [`job.started`]", "| ["), "utf-8"
    )
    changed = [
        "CHANGELOG.md",
        "README.md",
        "asyncapi/nobody.json",
        "catalogue/track.uploaded.md",
        "schemas/commands/catalog.show-track.json",
        "schemas/events/track.forgotten.json",
        "schemas/events/track.uploaded.json",
    ]
    reported: list[str] = []
    assert generating.main([str(copy), "--check"], reported.append) == 1
    assert [line.split(" ")[0] for line in reported] == changed
    assert generating.write(copy) == changed
    assert everything(copy) == before
    assert generating.main([str(copy), "--check"], reported.append) == 0


def test_a_schema_that_would_break_is_refused(copy: Path) -> None:
    """Where the committed schema has a field that the type has lost, nothing is written unless that is asked for."""
    path = copy / "schemas/commands/catalog.reject-track.json"
    schema = json.loads(path.read_text("utf-8"))
    schema["properties"]["severity"] = {"type": "string"}
    path.write_text(json.dumps(schema), "utf-8")
    before, reported = everything(copy), list[str]()
    assert generating.main([str(copy)], reported.append) == 1
    assert reported[0] == "catalog.reject-track: severity was removed"
    assert everything(copy) == before
    assert generating.main([str(copy), "--breaking"], reported.append) == 0
    assert generating.out_of_step(copy) == []


@pytest.mark.parametrize("arguments", [[], ["--breaking"], ["--check"]], ids=" ".join)
def test_nothing_overrides_what_was_released(copy: Path, arguments: list[str]) -> None:
    """Where a release has promised a field that the type has lost, writing and checking fail, whatever is asked for."""
    path = copy / "releases/0.1.0.json"
    release = json.loads(path.read_text("utf-8"))
    release["events"]["track.rejected"]["properties"]["severity"] = {"type": "string"}
    path.write_text(json.dumps(release), "utf-8")
    before, reported = everything(copy), list[str]()
    assert generating.main([str(copy), *arguments], reported.append) == 1
    assert reported[0] == "track.rejected: severity was removed"
    assert everything(copy) == before


def test_a_readme_without_markers_is_refused(copy: Path) -> None:
    """The tables have their place in the README; without it the generator says which marker it misses."""
    (copy / "README.md").write_text("# Nothing here\n")
    with pytest.raises(ValueError, match="generated: streams"):
        generating.write(copy)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_schema_is_valid_and_says_what_it_is(path: Path) -> None:
    """Each schema is JSON Schema 2020-12, and carries an id of its own, its wire name and its meaning."""
    schema = json.loads(path.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].rpartition(":")[2] == schema["title"] == path.stem
    assert schema["description"]


def test_each_event_and_command_has_a_schema_and_a_row() -> None:
    """Nothing that can be said is left out of the schemas or of the tables, and each event's row leads to its page."""
    events, commands = {event.wire_name() for event in EVENTS}, {kind.wire_name() for kind in every_command()}
    assert {path.stem for path in SCHEMAS} == events | commands | {"problem"}
    readme = (CONTRACTS / "README.md").read_text("utf-8")
    assert {wire for wire in commands if readme.count(f"\n| `{wire}` | ") != 1} == set()
    assert {wire for wire in events if readme.count(f"\n| [`{wire}`](catalogue/{wire}.md) | ") != 1} == set()
