"""What a running launcher tells other terminals: `run.json` in the data folder."""

from pathlib import Path

import msgspec

from tonetouch_deploy.settings import CannotStartError, write_private


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts of one run are. It stays after the end of the run: the next one prefers the same ports.

    It says where things were started, not that they are alive: ask their health ports for that.
    """

    api_url: str
    admin_token: str
    ports: dict[str, int]
    pids: dict[str, int] = {}


def _path(data_folder: Path) -> Path:
    return data_folder / "run.json"


def write_run_record(data_folder: Path, record: RunRecord) -> None:
    """Replace the record in one step, readable by its owner only because it holds the admin token."""
    draft = data_folder / ".run.json"
    write_private(draft, msgspec.json.format(msgspec.json.encode(record)).decode())
    draft.replace(_path(data_folder))


def last_run_record(data_folder: Path) -> RunRecord | None:
    """The record of the current or the last run; None when there was none or it cannot be read."""
    try:
        return msgspec.json.decode(_path(data_folder).read_bytes(), type=RunRecord)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def run_record(data_folder: Path) -> RunRecord:
    """The record of the current or last run. Raises CannotStartError when nothing ever ran on this folder."""
    record = last_run_record(data_folder)
    if record is None:
        raise CannotStartError(f"Nothing has been started on {data_folder} yet; start it with `uv run just up`.")
    return record
