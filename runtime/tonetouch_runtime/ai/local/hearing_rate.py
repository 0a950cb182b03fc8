"""How well the embedded transcription hears: ``python -m tonetouch_runtime.ai.local.hearing_rate``.

Forty plain sentences are spoken by eSpeak NG and written down by PocketSphinx. The word error rate is the number of
words put in, left out or exchanged, over the number of words said (the usual edit distance over words).
"""

import sys
from collections.abc import Sequence

from tonetouch_runtime.ai.local.hearing import hear
from tonetouch_runtime.ai.local.speaking import DEFAULT_VOICE, as_wav, speak

SENTENCES = (
    "the band played until midnight and nobody went home",
    "she wrote this song on a train to the north",
    "play something quiet for a rainy afternoon",
    "my father sold his records after the war",
    "the second verse is better than the first",
    "we recorded the drums in an empty church",
    "turn off the lights and listen to the sea",
    "he learned to play the piano from his mother",
    "the concert begins at eight in the evening",
    "there are too many people in this room",
    "i have not heard that voice for many years",
    "the radio is louder than the television",
    "they walked along the river without a word",
    "give me five minutes and a cup of tea",
    "the old guitar needs a new set of strings",
    "summer is over and the birds are leaving",
    "everybody in the village knew her name",
    "do not forget to close the kitchen window",
    "the singer lost her voice before the show",
    "a good melody can be remembered by a child",
    "the road to the mountains is closed in winter",
    "our friends are waiting at the station",
    "this is the last song of the evening",
    "he paid thirty dollars for the ticket",
    "the children are sleeping in the other room",
    "i would rather stay at home tonight",
    "the market opens early in the morning",
    "she never answers the telephone on sunday",
    "the doctor said that he should rest",
    "we need more time to finish the work",
    "the water in the lake is cold and clear",
    "his brother drives a truck across the country",
    "please read the letter to me once again",
    "the city looks different in the snow",
    "nothing is as simple as it seems",
    "the teacher asked a difficult question",
    "put the flowers on the table by the door",
    "the dog was barking at the strangers",
    "two men carried the box up the stairs",
    "it was the happiest day of my life",
)


def word_errors(said: str, heard: str) -> int:
    """Words to put in, leave out or exchange to come from one to the other (Levenshtein over words)."""
    words = heard.split()
    row = list(range(len(words) + 1))
    for number, word in enumerate(said.split(), start=1):
        before, row[0] = row[0], number
        for at, other in enumerate(words, start=1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (word != other))
    return row[-1]


def heard(sentence: str, *, voice: str = DEFAULT_VOICE) -> str:
    """What is heard of a sentence that was spoken."""
    return hear(as_wav(speak(sentence, voice=voice)), "audio/wav").text


def word_error_rate(sentences: Sequence[str], *, voice: str = DEFAULT_VOICE) -> float:
    """Errors over words said."""
    errors = sum(word_errors(sentence, heard(sentence, voice=voice)) for sentence in sentences)
    return errors / sum(len(sentence.split()) for sentence in sentences)


def main() -> None:
    """Print every sentence as it was heard, then the rate."""
    errors = words = 0
    for sentence in SENTENCES:
        result = heard(sentence)
        wrong = word_errors(sentence, result)
        errors, words = errors + wrong, words + len(sentence.split())
        print(f"{wrong:2}  {sentence}\n    {result}", file=sys.stdout if wrong else sys.stderr)
    print(f"word error rate {errors / words:.3f}: {errors} errors in {words} words of {len(SENTENCES)} sentences")


if __name__ == "__main__":
    main()
