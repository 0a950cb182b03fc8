"""The data folder: its secrets, its lock, and what is refused."""

import os
import stat
from pathlib import Path

import pytest

from tonetouch_deploy.run_record import RunRecord, last_run_record, run_record, write_run_record
from tonetouch_deploy.settings import (
    CannotStartError,
    Settings,
    admin_token,
    delete_data_folder,
    kept_secret,
    locked,
    prepare_data_folder,
)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_admin_token_is_generated_once_and_private(tmp_path: Path) -> None:
    """The first start makes a token which only the owner can read; later starts have the same one."""
    settings = Settings(data=tmp_path)
    usual = os.umask(0)
    try:
        token = admin_token(settings)
    finally:
        os.umask(usual)
    assert len(token) >= 32
    assert admin_token(settings) == token
    assert _mode(tmp_path / "secrets" / "admin-token") == 0o600
    assert _mode(tmp_path / "secrets") == 0o700


def test_a_token_from_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`TONETOUCH_ADMIN_TOKEN` is used as it is, and not written anywhere."""
    monkeypatch.setenv("TONETOUCH_ADMIN_TOKEN", "a-token-from-outside")
    assert admin_token(Settings(data=tmp_path)) == "a-token-from-outside"
    assert not (tmp_path / "secrets").exists()


def test_secrets_differ(tmp_path: Path) -> None:
    """No two secrets, and no two installations, share a value."""
    (tmp_path / "other").mkdir()
    made = {
        kept_secret(tmp_path, "a", length_bytes=15),
        kept_secret(tmp_path, "b", length_bytes=15),
        kept_secret(tmp_path / "other", "a", length_bytes=15),
    }
    assert len(made) == 3


def test_the_run_record_is_private_and_comes_back(tmp_path: Path) -> None:
    """`run.json` holds the token, so only its owner may read it; what was written is what is read."""
    record = RunRecord(api_url="http://127.0.0.1:8080", admin_token="t" * 20, ports={"api": 8080}, pids={"nats": 7})
    write_run_record(tmp_path, record)
    assert _mode(tmp_path / "run.json") == 0o600
    assert run_record(tmp_path) == record


def test_a_broken_run_record_is_none(tmp_path: Path) -> None:
    """A record that cannot be read is as if there had been no run."""
    (tmp_path / "run.json").write_text("{")
    assert last_run_record(tmp_path) is None
    with pytest.raises(CannotStartError, match="Nothing has been started"):
        run_record(tmp_path)


def test_one_data_folder_has_one_launcher(tmp_path: Path) -> None:
    """While one holds the folder another is refused; after it, the folder is free."""
    with locked(tmp_path), pytest.raises(CannotStartError, match="already running"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A missing or unwritable disk is one sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(CannotStartError, match="cannot be written to"):
        prepare_data_folder(tmp_path / "file" / "data")


def test_only_a_data_folder_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting takes a folder with our secrets in it, and neither a stranger's nor one that holds the working place."""
    photos = tmp_path / "photos"
    photos.mkdir()
    with pytest.raises(CannotStartError, match="not a data folder"):
        delete_data_folder(photos)
    data = tmp_path / "data"
    data.mkdir()
    kept_secret(data, "admin-token", length_bytes=24)
    with monkeypatch.context() as inside:
        inside.chdir(data)
        with pytest.raises(CannotStartError, match="not a data folder"):
            delete_data_folder(data)
    with locked(data), pytest.raises(CannotStartError, match="already running"):
        delete_data_folder(data)
    delete_data_folder(data)
    assert photos.exists()
    assert not data.exists()
