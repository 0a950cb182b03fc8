"""What is added is near, what is subtracted is not there."""

import numpy as np

from tonetouch_recommend.lists.alchemy import MOST_CENTRES, centres, in_turns, is_too_near, radii
from tonetouch_recommend.vectors.collection import Hit, Vector


def around(centre: Vector, size: int, seed: int, spread: float = 0.05) -> list[Vector]:
    drawn = centre + spread * np.random.default_rng(seed).standard_normal((size, len(centre)))
    return list((drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32))


AXES = list(np.eye(8, dtype=np.float32))


def test_an_artist_of_two_kinds_has_two_centres() -> None:
    """Each kind is one, the larger first; in another order nearly the same."""
    vectors = [*around(AXES[0], 6, 1), *around(AXES[1], 4, 2)]
    found = centres(vectors)
    assert len(found) == 2
    assert float(found[0] @ AXES[0]) > 0.95
    assert float(found[1] @ AXES[1]) > 0.95
    again = centres(vectors[::-1])
    assert all(float(one @ other) > 0.99 for one, other in zip(found, again, strict=True))


def test_an_artist_of_one_kind_has_one_centre_and_of_many_three() -> None:
    """No more than three; of nothing none."""
    assert len(centres(around(AXES[0], 9, 3))) == 1
    assert len(centres([vector for axis in range(6) for vector in around(AXES[axis], 2, axis)])) == MOST_CENTRES
    assert centres([]) == []
    assert all(abs(float(np.linalg.norm(one)) - 1) < 1e-5 for one in centres(around(AXES[0], 9, 3)))


def test_the_radius_is_hard() -> None:
    """Nothing within it comes through, whatever it is near to besides; what is added lies outside always."""
    cosines = radii([AXES[1]], [AXES[0]])
    assert is_too_near(around(AXES[1], 1, 5)[0], [AXES[1]], cosines)
    assert not is_too_near(AXES[0], [AXES[1]], cosines)
    near_both = (0.5 * AXES[0] + AXES[1]) / np.linalg.norm(0.5 * AXES[0] + AXES[1])
    assert is_too_near(near_both.astype(np.float32), [AXES[1]], cosines)
    assert not is_too_near(AXES[2], [], [])


def test_the_radius_goes_by_how_far_apart_the_two_are() -> None:
    """Of what lies close to what is added only a little is taken away."""
    close = around(AXES[0], 1, 6, spread=0.1)[0]
    [narrow], [wide] = radii([close], [AXES[0]]), radii([AXES[1]], [AXES[0]])
    assert narrow > 0.9 > wide
    assert not is_too_near(AXES[0], [close], [narrow])


def test_each_takes_its_turn() -> None:
    """The best of each before the second of any; what two have found comes once."""

    def hits(names: str) -> list[Hit]:
        return [Hit(name, 1.0, {}) for name in names]

    assert "".join(hit.id for hit in in_turns([hits("abcd"), hits("xby"), hits("")])) == "axbcyd"
    assert in_turns([]) == []
