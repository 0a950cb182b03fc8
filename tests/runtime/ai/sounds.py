"""Recordings for the tests, made from numbers."""

import struct

import numpy as np
from numpy.typing import NDArray

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def tone(hertz: float, *, rate: int, seconds: float = 0.25, loud: float = 0.5) -> NDArray[np.float64]:
    """A sine, shape (n,), between -1 and 1."""
    return loud * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def wav_file(  # every field of the header, so that tests can lie in any of them
    samples: NDArray[np.float64], *, rate: int, form: int = PCM, bits: int = 16, extensible: bool = False
) -> bytes:
    """A WAV file of samples between -1 and 1, of shape (n,) or (n, channels)."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    block = channels * bits // 8
    header = struct.pack("<HHIIHH", EXTENSIBLE if extensible else form, channels, rate, rate * block, block, bits)
    if extensible:
        header += struct.pack("<HHIH14s", 22, bits, 0, form, b"\0" * 14)
    data = _packed(samples.reshape(-1), form, bits)
    chunks = b"fmt " + struct.pack("<I", len(header)) + header + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _packed(samples: NDArray[np.float64], form: int, bits: int) -> bytes:
    if form == FLOAT:
        return samples.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return np.round(samples * 127 + 128).astype(np.uint8).tobytes()
    whole = np.round(samples * (2 ** (bits - 1) - 1)).astype("<i4")
    if bits == 24:
        return bytes(whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    return bytes(whole.astype(f"<i{bits // 8}").tobytes())
