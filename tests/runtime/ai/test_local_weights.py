"""How the two halves of a text's vector are weighed: the experiment behind MEANING_SHARE.

Run `python -m tests.runtime.ai.test_local_weights` for the whole table.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from tonetouch_runtime.ai.local.embedding import MEANING_DIMENSION, MEANING_SHARE, TextEmbedding

DESCRIBED = {
    "slow": "slow, 62 bpm, sad, melancholic, A minor, quiet, solo piano",
    "fast": "fast, 172 bpm, aggressive, angry, E minor, loud, distorted electric guitar, drums",
    "happy": "moderate tempo, 118 bpm, happy, cheerful, C major, bright, acoustic guitar and handclaps",
    "club": "128 bpm, energetic, danceable, F minor, loud, synthesizer, four on the floor, house",
    "ambient": "very slow, 50 bpm, calm, dreamy, D major, very quiet, pads, ambient drone",
    "waltz": "moderate tempo, 96 bpm, romantic, tender, G major, strings, waltz",
    "hiphop": "90 bpm, relaxed, dark, C# minor, boom bap drums, vinyl crackle, hip hop",
    "march": "120 bpm, triumphant, epic, B flat major, very loud, brass, orchestra",
    "folk": "slow, 76 bpm, warm, nostalgic, D major, fingerpicked acoustic guitar, female vocals, folk",
    "jazz": "fast, 210 bpm, playful, B flat major, saxophone, double bass, jazz swing",
}
BY_MEANING = {
    "a slow sad piano piece": "slow",
    "melancholy quiet piano": "slow",
    "something gloomy and slow on the piano": "slow",
    "heavy metal to scream along with": "fast",
    "angry loud guitars": "fast",
    "furious fast rock": "fast",
    "a cheerful sunny song": "happy",
    "feel good music in major": "happy",
    "music to dance to in a club": "club",
    "electronic dance party": "club",
    "music to fall asleep to": "ambient",
    "calm dreamy soundscape": "ambient",
    "floating ambient textures": "ambient",
    "a romantic waltz with violins": "waltz",
    "love song for strings": "waltz",
    "chill beats to study to": "hiphop",
    "laid back rap instrumental": "hiphop",
    "victorious fanfare with trumpets": "march",
    "epic film orchestra": "march",
    "nostalgic guitar ballad sung by a woman": "folk",
    "campfire acoustic": "folk",
    "upbeat swing with sax": "jazz",
    "bebop": "jazz",
    "sad": "slow",
    "piano": "slow",
    "relaxing": "ambient",
    "sorrowful": "slow",
    "energetic workout": "club",
}
BY_SPELLING = {
    "slw sad pianno": "slow",
    "melancolic": "slow",
    "saxaphone": "jazz",
    "romantik walz": "waltz",
    "orchestrl brass": "march",
    "ambiant drone": "ambient",
    "fingerpiked gitar": "folk",
    "sinthesizer hause": "club",
}
NAMES = [
    "夜に駆ける", "夜の歌", "Ночной дозор", "Ночь", "Утро в лесу", "مرحبا يا قمر", "قمر الليل", "Corazón salvaje",
    "Corazon partido", "Ágætis byrjun", "הלילה", "밤편지", "밤하늘의 별을", "नीला आसमान", "ราตรีสวัสดิ์", "Midnight City",
    "Night Drive", "ガラスの少年", "Für Elise", "Non, je ne regrette rien",
]  # fmt: skip
BY_NAME = {
    "夜に駆": "夜に駆ける",
    "夜の": "夜の歌",
    "駆ける": "夜に駆ける",
    "НОЧНОЙ ДОЗОР": "Ночной дозор",
    "ночнои дозор": "Ночной дозор",
    "утро": "Утро в лесу",
    "قمر الليل": "قمر الليل",
    "مرحبا": "مرحبا يا قمر",
    "corazon salvaje": "Corazón salvaje",
    "agætis birjun": "Ágætis byrjun",
    "הלילה": "הלילה",
    "밤편지": "밤편지",
    "별을": "밤하늘의 별을",
    "आसमान": "नीला आसमान",
    "ราตรี": "ราตรีสวัสดิ์",
    "midnihgt city": "Midnight City",
    "ｶﾞﾗｽ": "ガラスの少年",
    "fur elise": "Für Elise",
    "je ne regrete rien": "Non, je ne regrette rien",
    "少年": "ガラスの少年",
}
NAMED_AND_DESCRIBED = {name: f"{name}. {text}" for name, text in zip(NAMES, [*DESCRIBED.values()] * 2, strict=True)}


class Family:
    """Queries with the one text each must find first, embedded once and scored under any share."""

    def __init__(self, engine: TextEmbedding, texts: dict[str, str], queries: dict[str, str]) -> None:
        self.queries = list(queries)
        self.expected = [list(texts).index(name) for name in queries.values()]
        self._texts = _halves(engine.embed(list(texts.values())))
        self._queries = _halves(engine.embed(self.queries))

    def margins(self, share: float) -> NDArray[np.float64]:
        """For each query, by how much the expected text leads the best other one (below zero: missed)."""
        meaning, spelling = (q @ t.T for q, t in zip(self._queries, self._texts, strict=True))
        scores = share * meaning + (1 - share) * spelling
        rows = np.arange(len(self.expected))
        right = scores[rows, self.expected].copy()
        scores[rows, self.expected] = -np.inf
        return np.asarray(right - scores.max(axis=1))


def _halves(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    wide = vectors.astype(np.float64)
    halves = wide[:, :MEANING_DIMENSION], wide[:, MEANING_DIMENSION:]
    first, second = (half / np.linalg.norm(half, axis=1, keepdims=True) for half in halves)
    return first, second


def families() -> dict[str, Family]:
    engine = TextEmbedding()
    names = {name: name for name in NAMES}
    return {
        "meaning": Family(engine, DESCRIBED, BY_MEANING),
        "typos": Family(engine, DESCRIBED, BY_SPELLING),
        "names": Family(engine, names, BY_NAME),
        "names in longer texts": Family(engine, NAMED_AND_DESCRIBED, BY_NAME),
    }


@pytest.fixture(scope="module", name="measured")
def measured_families() -> dict[str, Family]:
    return families()


def test_a_slow_sad_piano_piece_is_found_before_anything_else(measured: dict[str, Family]) -> None:
    """The sentence from the product's own example leads by a wide margin."""
    family = measured["meaning"]
    margins = family.margins(MEANING_SHARE)
    assert margins[family.queries.index("a slow sad piano piece")] > 0.2


def test_words_spelling_and_names_are_all_found(measured: dict[str, Family]) -> None:
    """At the chosen share no typo and no name in any script is missed, and seven of ten plain wishes are met."""
    found = {name: float((family.margins(MEANING_SHARE) > 0).mean()) for name, family in measured.items()}
    assert found["typos"] == found["names"] == found["names in longer texts"] == 1.0
    assert found["meaning"] >= 0.7


def test_both_halves_are_needed(measured: dict[str, Family]) -> None:
    """Either half alone finds less over all families than the two together."""

    def found(share: float) -> int:
        return sum(int((family.margins(share) > 0).sum()) for family in measured.values())

    assert found(MEANING_SHARE) > max(found(0.0), found(1.0))


if __name__ == "__main__":
    for_share = families()
    for tenth in range(11):
        cells = []
        for label, group in for_share.items():
            lead = group.margins(tenth / 10)
            cells.append(f"{label} {int((lead > 0).sum())}/{len(lead)} lead {lead.mean():+.3f}")
        print(f"share {tenth / 10:.1f}: " + " | ".join(cells))
