"""Energy is a place between the calibration sounds."""

import msgspec
import pytest

from tonetouch_ingest.listening.energy import Liveliness, energy_of, read_scale, standing

SCALE = read_scale()


def test_the_average_sound_lies_in_the_middle() -> None:
    """Every feature at its mean gives one half."""
    assert energy_of(SCALE.means, scale=SCALE) == pytest.approx(0.5)


@pytest.mark.parametrize("name", Liveliness.__struct_fields__)
def test_every_feature_moves_energy(name: str) -> None:
    """More of it is more energy, but for dynamic complexity: there it is less."""
    raised = msgspec.structs.replace(
        SCALE.means, **{name: getattr(SCALE.means, name) + getattr(SCALE.deviations, name)}
    )
    energy = energy_of(raised, scale=SCALE)
    assert energy < 0.48 if name == "dynamic_complexity_db" else energy > 0.52


def test_one_absurd_feature_does_not_decide_alone() -> None:
    """A feature counts for three deviations at most."""
    absurd = msgspec.structs.replace(SCALE.means, loudness_lufs=1000.0)
    assert standing(absurd, "loudness_lufs", scale=SCALE) == 3.0
    assert energy_of(absurd, scale=SCALE) < 0.9
