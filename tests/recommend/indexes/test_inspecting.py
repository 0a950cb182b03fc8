"""What an index takes of the disk is told while it changes."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tonetouch_recommend.indexes.inspecting import _bytes_below


def _filled(folder: Path) -> None:
    for name in ("copy-1/segments/one", "copy-2/segments/one"):
        (folder / name).mkdir(parents=True)
        (folder / name / "vectors").write_bytes(bytes(1 << 20))


def test_it_is_what_is_written_below_a_folder(tmp_path: Path) -> None:
    """In blocks, as the disk counts."""
    _filled(tmp_path)
    assert 2 << 20 <= _bytes_below(tmp_path) < 3 << 20
    assert _bytes_below(tmp_path / "none") == 0


def test_a_copy_that_goes_in_the_middle_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that is made anew replaces its copies while somebody looks."""
    _filled(tmp_path)
    scan: Callable[[Any], Any] = os.scandir

    def gone_before(path: Any) -> Any:
        if str(path).endswith("copy-2/segments/one"):
            shutil.rmtree(tmp_path / "copy-2")
        return scan(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", gone_before)
        found = _bytes_below(tmp_path)
    assert 1 << 20 <= found < 2 << 20
