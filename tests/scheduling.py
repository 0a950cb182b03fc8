"""How a run is shared between processes (`-n`): what uses the same servers stays together, the longest begins first.

Each process has servers of its own, so nothing here is needed for tests to be right, only for them to be soon over.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/journeys/", "tests/gateway/", "tests/recommend/lists/", "tests/deploy/demo/")
"""Folders whose tests share an installation or an album, or need so much of the machine that one is enough of them."""

FIRST = ("tests/journeys/", "tests/recommend/indexes/", "tests/deploy/test_up.py", "tests/agents/", "tests/ingest/")
"""What takes minutes: begun last, it would keep one process busy while the others have nothing left."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # the package has no types
    """Gives a process the tests of one file, or of one folder of `TOGETHER`, and the next ones when it is done."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """Called by pytest-xdist."""
    config.option.loadscopereorder = False  # it would begin with the files of the most tests, not of the longest
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Called by pytest in every process."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    return next((place for place, path in enumerate(FIRST) if nodeid.startswith(path)), len(FIRST))
