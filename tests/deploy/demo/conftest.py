"""The album, made once for all tests of this folder, and what can be heard in it."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tonetouch_deploy.demo import make_album


@pytest.fixture(name="album", scope="session")
def _album(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_album(tmp_path_factory.mktemp("music") / "Demo album", seed=1)


@pytest.fixture(name="recordings", scope="session")
def _recordings(album: list[Path]) -> list[NDArray[np.float32]]:
    """Each file decoded to stereo at 44.1 kHz, shape (2, n)."""
    return [decoded(path) for path in album]


def decoded(path: Path) -> NDArray[np.float32]:
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=44_100)
    with av.open(str(path)) as file:
        frames = [
            part.to_ndarray() for frame in file.decode(file.streams.audio[0]) for part in resampler.resample(frame)
        ]
        frames += [part.to_ndarray() for part in resampler.resample(None)]
    return np.concatenate(frames, axis=1).astype(np.float32)
