"""A recording as MP3 (PyAV with LAME): PCM of 16 bits, mono in; MP3 out. Arguments: the rate."""

import io
import sys

import av
import numpy as np

rate = int(sys.argv[1])
samples = np.frombuffer(sys.stdin.buffer.read(), "<i2")[None]
packed = io.BytesIO()
with av.open(packed, "w", format="mp3") as recording:
    stream = recording.add_stream("mp3", rate=rate)
    stream.layout = "mono"
    stream.bit_rate = 48_000
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate = rate
    recording.mux(stream.encode(frame))
    recording.mux(stream.encode(None))
sys.stdout.buffer.write(packed.getvalue())
