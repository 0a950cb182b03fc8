"""Any recording FFmpeg knows (PyAV): its bytes in; PCM of 16 bits, mono, 16 kHz out.

Arguments: the most seconds that are decoded.
"""

import io
import sys

import av

# A playlist or a list of files is no recording: FFmpeg would open what it names.
bounds = {"format_whitelist": "aac,aiff,amr,caf,flac,matroska,mov,mp3,ogg,w64,wav", "protocol_whitelist": "none"}
most_bytes = 2 * 16000 * int(sys.argv[1])
unpacked = bytearray()
try:
    with av.open(io.BytesIO(sys.stdin.buffer.read()), "r", metadata_errors="ignore", options=bounds) as recording:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16000)
        for frame in recording.decode(audio=0):
            for part in resampler.resample(frame):
                unpacked += bytes(part.planes[0])[: 2 * part.samples]
            if len(unpacked) > most_bytes:
                print(f"The recording is longer than {sys.argv[1]} seconds.", file=sys.stderr)
                raise SystemExit(3)
except (av.error.FFmpegError, ValueError, IndexError, StopIteration) as error:
    print(f"The recording cannot be read: {error}", file=sys.stderr)
    raise SystemExit(3) from None
sys.stdout.buffer.write(unpacked)
