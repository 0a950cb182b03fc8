"""Log files of children."""

from pathlib import Path

from tonetouch_deploy.logs import LogFile


def test_a_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    """Past its limit a file is set aside; only a few old ones are kept, and the newest bytes are in the current one."""
    log = LogFile(tmp_path / "a.log", limit_bytes=10, keep=2)
    for number in range(10):
        log.write(f"line {number}\n".encode())
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    assert (tmp_path / "a.log").read_text() == "line 9\n"
    assert (tmp_path / "a.log.2").read_text() == "line 7\n"


def test_a_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Opening appends to what is there, and the last line is the last that says something."""
    for words in ("first", "second"):
        log = LogFile(tmp_path / "logs" / "a.log")
        log.write(f"{words}\n\n".encode())
        log.close()
    assert log.path.read_text() == "first\n\nsecond\n\n"
    assert log.last_line() == "second"
