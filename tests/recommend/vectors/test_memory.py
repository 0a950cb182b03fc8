"""The exact engine keeps the promises, and is exact."""

import numpy as np
import pytest

from tests.recommend.vectors.behaviour import TRACKS, VectorEngineBehaviour
from tonetouch_recommend.vectors.collection import Point
from tonetouch_recommend.vectors.engine import VectorEngine
from tonetouch_recommend.vectors.memory import MemoryEngine


class TestMemoryEngine(VectorEngineBehaviour):
    """Every promise of a vector engine, kept in memory."""

    __test__ = True

    @pytest.fixture
    def engine(self) -> VectorEngine:
        """An empty engine."""
        return MemoryEngine()


async def test_the_order_is_that_of_the_cosines() -> None:
    """Against cosines computed one by one in double precision."""
    random = np.random.default_rng(5)
    vectors = random.standard_normal((50, 8)).astype(np.float32)
    asked = random.standard_normal(8).astype(np.float32)
    engine = MemoryEngine()
    await engine.open(TRACKS)
    await engine.upsert(TRACKS, [Point(str(row), vector) for row, vector in enumerate(vectors)])
    wide, direction = vectors.astype(np.float64), asked.astype(np.float64)
    cosines = {str(row): v @ direction / np.linalg.norm(v) / np.linalg.norm(direction) for row, v in enumerate(wide)}
    hits = await engine.query(TRACKS, asked, limit=50)
    assert [hit.id for hit in hits] == sorted(cosines, key=lambda point_id: -cosines[point_id])
    assert [hit.score for hit in hits] == pytest.approx([cosines[hit.id] for hit in hits], abs=1e-5)
