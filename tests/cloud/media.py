"""Pictures and recordings that can be foretold: small, whole, and different for different input."""

import hashlib
import io
import math
import wave

from PIL import Image

MP3_FRAME = bytes.fromhex("fff364c4") + bytes(140)
"""24 ms of silence: MPEG-2 layer III, 48 kbit/s, 24 kHz, one channel."""
MP3_FRAME_SECONDS = 0.024
CHARACTERS_A_SECOND = 15
BYTES_A_SECOND = 16_000
SIDE = 1024
TILES = (SIDE // 512) ** 2
WAV_HEADER_BYTES = 44


def jpeg(seed: str) -> bytes:
    """A picture of one colour, 1024 by 1024."""
    digest = hashlib.sha256(seed.encode()).digest()
    with io.BytesIO() as file:
        Image.new("RGB", (SIDE, SIDE), (digest[0], digest[1], digest[2])).save(
            file, "JPEG", comment=digest.hex().encode()
        )
        return file.getvalue()


def spoken_seconds(text: str) -> float:
    """How long it takes to say a text."""
    return len(text) / CHARACTERS_A_SECOND


def mp3(text: str) -> bytes:
    """Silence as long as the text takes."""
    return MP3_FRAME * max(1, math.ceil(spoken_seconds(text) / MP3_FRAME_SECONDS))


def wav(text: str, rate: int = 24_000) -> bytes:
    """Silence as long as the text takes, 16 bits, one channel."""
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(rate)
            writer.writeframes(bytes(2 * int(spoken_seconds(text) * rate)))
        return file.getvalue()


def milliseconds_of(audio: bytes) -> int:
    """How long a recording is: read from a WAV header, else one second for every 16,000 bytes."""
    try:
        with wave.open(io.BytesIO(audio)) as reader:
            frames, rate = int(reader.getnframes()), int(reader.getframerate())
            return round(1000 * frames / rate)
    except (wave.Error, EOFError):
        return round(1000 * len(audio) / BYTES_A_SECOND)
