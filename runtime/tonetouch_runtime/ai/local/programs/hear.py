"""Speech to text with PocketSphinx (BSD): PCM of 16 bits, mono, 16 kHz in; a JSON list of [word, start, end] out.

Arguments: the numbers of samples that are decoded together, one after the other. Times are in seconds.
"""

import json
import re
import sys

from pocketsphinx import Decoder  # type: ignore[import-untyped]

FRAMES_PER_SECOND = 100

decoder = Decoder(samprate=16000, loglevel="FATAL")
words = []
heard_seconds = 0.0
for length in map(int, sys.argv[1:]):
    samples = sys.stdin.buffer.read(2 * length)
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    for segment in decoder.seg() or ():
        # Silences and noises are in brackets; a number in them tells pronunciations of one word apart.
        word = re.sub(r"\(\d+\)$", "", segment.word)
        if word[0] not in "<[+":
            start, end = segment.start_frame / FRAMES_PER_SECOND, (segment.end_frame + 1) / FRAMES_PER_SECOND
            words.append([word, round(heard_seconds + start, 2), round(heard_seconds + end, 2)])
    heard_seconds += length / 16000
json.dump(words, sys.stdout)
