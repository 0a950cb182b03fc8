"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tonetouch_deploy.settings import CannotStartError


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A draft beside the path, which takes its place at the end and is gone after a failure.

    Raises CannotStartError where the disk does not take it.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    except TimeoutError:
        # Somebody did not answer, which is an OSError to Python; the disk has nothing to do with it.
        raise
    except OSError as error:
        raise CannotStartError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)
