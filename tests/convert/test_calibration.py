"""Learning how far the estimate is from upstream's count."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiro_rs_py.convert.calibration import (
    MAX_MODELS,
    MIN_ESTIMATE,
    MIN_SAMPLES,
    OVERHEADS,
    RATIOS,
    STRAYS,
    Calibration,
    Calibrations,
    parse_calibration,
)

COUNTS = range(1, 1 + MIN_SAMPLES)


def taught(ratio: float, overhead: int = 0, *, samples: int = 40, noise: float = 0.0, seed: int = 1) -> Calibration:
    """After answers to requests of 200 to 150,000 tokens."""
    chance = random.Random(seed)
    calibration = Calibration()
    for _ in range(samples):
        estimate = int(10 ** chance.uniform(2.3, 5.2))
        figure = (estimate * ratio + overhead) * chance.uniform(1 - noise, 1 + noise)
        calibration = calibration.learnt(estimate, int(figure))
    return calibration


def test_nothing_is_changed_before_enough_is_known() -> None:
    calibration = Calibration()
    for count in COUNTS:
        assert (calibration.known, calibration.ratio, calibration.overhead) == (False, 1.0, 0)
        assert calibration.apply(5000) == 5000
        assert calibration.apply(0) == 1
        calibration = calibration.learnt(5000, 10_000)
        assert calibration.samples == count
    assert calibration.known
    assert calibration.apply(5000) > 8000


@pytest.mark.parametrize(
    ("ratio", "overhead"), [(1.0, 0), (1.3, 4000), (0.7, 0), (0.55, 300), (1.47, 4000), (2.5, 10_000)]
)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_both_numbers_are_found(ratio: float, overhead: int, noise: float) -> None:
    calibration = taught(ratio, overhead, noise=noise)
    assert calibration.ratio == pytest.approx(ratio, rel=0.08)
    assert calibration.overhead == pytest.approx(overhead, rel=0.08, abs=100)
    for estimate in (500, 5000, 50_000):
        assert calibration.apply(estimate) == pytest.approx(estimate * ratio + overhead, rel=0.08)


def test_a_single_misfit_changes_nothing_but_its_count() -> None:
    calibration = taught(1.3, 4000)
    for figure in (700_000, 50_000):
        stray = calibration.learnt(100_000, 300_000).learnt(100_000, figure)
        assert stray.apply(50_000) == calibration.apply(50_000)
    assert calibration.learnt(100_000, 50_000).strays == 1
    assert calibration.learnt(100_000, 50_000).learnt(10_000, 17_000).strays == 0


def test_many_misfits_in_a_row_are_believed() -> None:
    calibration = taught(2.5)
    for count in range(1, STRAYS + 1):
        calibration = calibration.learnt(100_000, 60_000)
        assert calibration.strays == count % STRAYS
    assert calibration.samples == 1
    for _ in COUNTS:
        calibration = calibration.learnt(100_000, 60_000)
    assert calibration.apply(100_000) == pytest.approx(60_000, rel=0.05)


def test_the_new_outweighs_the_old() -> None:
    calibration = taught(1.0)
    for _ in range(60):
        calibration = calibration.learnt(50_000, 75_000)
    assert calibration.apply(50_000) == pytest.approx(75_000, rel=0.05)


@pytest.mark.parametrize(
    ("estimate", "figure"),
    [(MIN_ESTIMATE - 1, 100), (10_000, 0), (10_000, 4999), (10_000, 50_001), (10_000, 10**12), (10_000, -5)],
)
def test_what_teaches_nothing(estimate: int, figure: int) -> None:
    assert Calibration().learnt(estimate, figure) == Calibration()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), max_size=40), st.integers(0, 10**7))
def test_whatever_is_said_the_bounds_hold(answers: list[tuple[int, int]], estimate: int) -> None:
    calibration = Calibration()
    for answer in answers:
        calibration = calibration.learnt(*answer)
    assert RATIOS[0] <= calibration.ratio <= RATIOS[1]
    assert OVERHEADS[0] <= calibration.overhead <= OVERHEADS[1]
    assert 1 <= calibration.apply(estimate) <= estimate * RATIOS[1] + OVERHEADS[1] + 1
    assert parse_calibration(calibration.to_json()) == calibration


def test_what_is_kept_is_read_again() -> None:
    calibration = taught(1.3, 4000).learnt(100_000, 50_000)
    assert parse_calibration(calibration.to_json()) == calibration


SUMS = [1.0, 0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"samples": 1, "strays": 0},
        {"samples": -1, "strays": 0, "sums": SUMS},
        {"samples": 1, "strays": True, "sums": SUMS},
        {"samples": 1.5, "strays": 0, "sums": SUMS},
        {"samples": 1, "strays": 0, "sums": SUMS[:4]},
        {"samples": 1, "strays": 0, "sums": ["1", *SUMS[1:]]},
        {"samples": 1, "strays": 0, "sums": [math.nan, *SUMS[1:]]},
        {"samples": 1, "strays": 0, "sums": [math.inf, *SUMS[1:]]},
        {"samples": 1, "strays": 0, "sums": [-1.0, *SUMS[1:]]},
        {"samples": 1, "strays": 0, "sums": [1.0, 50.0, 1.0, 1.0, 1.0]},
    ],
)
def test_damaged_state_is_no_calibration(value: object) -> None:
    assert parse_calibration(value) is None
    assert parse_calibration({"samples": 1, "strays": 0, "sums": SUMS}) is not None


def test_each_model_has_its_own() -> None:
    calibrations = Calibrations({"a": taught(1.3)})
    assert calibrations.of("a").apply(10_000) == pytest.approx(13_000, rel=0.01)
    assert calibrations.of("b") == Calibration()
    assert calibrations.changed == set()
    calibrations.learn("b", 10_000, 20_000)
    calibrations.learn("c", 10_000, 1)
    assert calibrations.changed == {"b"}
    assert (calibrations.of("b").samples, calibrations.of("a").samples) == (1, 40)


def test_the_number_of_models_is_bounded() -> None:
    calibrations = Calibrations({f"m{number}": Calibration() for number in range(MAX_MODELS)})
    calibrations.learn("new", 10_000, 10_000)
    calibrations.learn("m0", 10_000, 10_000)
    assert calibrations.of("new") == Calibration()
    assert calibrations.changed == {"m0"}
