"""Text to speech with eSpeak NG (GPL-3.0-or-later): UTF-8 text in; out come the rate (4 bytes, little-endian) and PCM.

Arguments: the library, its data, the voice, the voice to take where that one is unknown, the most seconds of speech.
"""

import ctypes
import sys

SYNCHRONOUS, DO_NOT_EXIT, BY_CHARACTER, UTF_8 = 2, 0x8000, 1, 1

library, data, voice, other_voice, most_seconds = sys.argv[1:]
espeak = ctypes.CDLL(library)
rate: int = espeak.espeak_Initialize(SYNCHRONOUS, 500, data.encode(), DO_NOT_EXIT)
if rate <= 0:
    raise SystemExit("eSpeak NG did not find its data.")
spoken = bytearray()
most_bytes = 2 * rate * int(most_seconds)


def more(samples: int | None, count: int, events: int | None) -> int:
    """Keep the 16-bit samples; 1 stops the speech."""
    if samples and count > 0:
        spoken.extend(ctypes.string_at(samples, 2 * count))
    return int(len(spoken) > most_bytes)


# The name keeps it from being collected while the library holds it.
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(more)
espeak.espeak_SetSynthCallback(callback)
if espeak.espeak_SetVoiceByName(voice.encode()) and espeak.espeak_SetVoiceByName(other_voice.encode()):
    raise SystemExit(f"eSpeak NG has no voice {other_voice}.")
text = sys.stdin.buffer.read().replace(b"\0", b" ") + b"\0"
if espeak.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, BY_CHARACTER, 0, UTF_8, None, None):
    raise SystemExit("eSpeak NG did not speak.")
espeak.espeak_Synchronize()
if len(spoken) > most_bytes:
    print(f"The text takes longer than {most_seconds} seconds to speak.", file=sys.stderr)
    raise SystemExit(3)
sys.stdout.buffer.write(rate.to_bytes(4, "little") + spoken)
