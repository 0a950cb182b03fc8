"""Integrated loudness, measured as ITU-R BS.1770-4 says, and a track brought to the one it should have."""

import numpy as np
from numpy.typing import NDArray

from tonetouch_deploy.demo.instruments import SAMPLE_RATE, Samples

_STEP = int(0.1 * SAMPLE_RATE)
_CEILING = 0.89  # -1 dBFS leaves room for what lossy codecs add


def integrated_lufs(stereo: Samples) -> float:
    """Loudness of samples of shape (2, n) at 44.1 kHz in LUFS, gated at -70 LUFS and 10 LU below the mean.

    The K-weighting is applied to the spectrum of each step of 100 ms, four of which are a block; that stays within
    0.1 LU of filtering in time for music. Silence gives minus infinity.
    """
    steps = stereo.shape[1] // _STEP
    spectrum = np.fft.rfft(stereo[:, : steps * _STEP].reshape(2, steps, _STEP), axis=2)
    weighted = np.abs(spectrum) ** 2 @ _k_weighting(np.fft.rfftfreq(_STEP, 1 / SAMPLE_RATE))
    power = np.convolve(weighted.sum(axis=0) * 2 / _STEP**2, np.full(4, 0.25), "valid")
    loud = power[power > 10 ** ((-70 + 0.691) / 10)]
    if loud.size == 0:
        return float("-inf")
    gated = loud[loud > loud.mean() / 10]
    return float(-0.691 + 10 * np.log10(gated.mean()))


def brought_to(stereo: Samples, lufs: float) -> Samples:
    """The same track at a loudness; peaks above -1 dBFS are rounded off, which the second pass makes up for."""
    sound = stereo
    for _ in range(3):
        sound = _rounded(sound * np.float32(10 ** ((lufs - integrated_lufs(sound)) / 20)))
    return sound


def _rounded(stereo: Samples) -> Samples:
    knee = 0.55
    over = np.abs(stereo) > knee
    bent = stereo.copy()
    loud = stereo[over]
    room = _CEILING - knee
    bent[over] = np.sign(loud) * (knee + room * np.tanh((np.abs(loud) - knee) / room))
    return bent


def _k_weighting(frequency: NDArray[np.floating]) -> NDArray[np.float64]:
    """Squared magnitude of the two filters of the standard, its 48 kHz coefficients taken back to analogue form."""
    shelf, high_pass = 1j * frequency / 1681.97, 1j * frequency / 38.135
    lifted = (1.5849 * shelf**2 + 1.5849**0.5 / 0.7072 * shelf + 1) / (shelf**2 + shelf / 0.7072 + 1)
    passed = high_pass**2 / (high_pass**2 + high_pass / 0.5003 + 1)
    return np.asarray(np.abs(lifted * passed) ** 2, np.float64)
