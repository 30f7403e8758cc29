from __future__ import annotations

import math

import pytest

from kiro_rs_py.serve.exposition import Exposition, Histogram
from tests.serve.prometheus import parse


def test_a_page() -> None:
    out = Exposition()
    out.family("a_total", "counter", "How many.")
    out.sample(3, model='odd "name"\n\\', mode="x")
    out.sample(0.25, model="b", mode="x")
    out.family("b", "gauge", "How much.", -1.5)
    assert out.page().decode() == (
        "# HELP a_total How many.\n# TYPE a_total counter\n"
        'a_total{model="odd \\"name\\"\\n\\\\",mode="x"} 3\na_total{model="b",mode="x"} 0.25\n'
        "# HELP b How much.\n# TYPE b gauge\nb -1.5\n"
    )
    page = parse(out.page())
    assert page.value("a_total", model='odd "name"\n\\', mode="x") == 3
    assert page.value("b") == -1.5


def test_a_histogram() -> None:
    histogram = Histogram([0.5, 2])
    for value in (0.1, 0.5, 1.0, 7.25):
        histogram.observe(value)
    out = Exposition()
    out.family("h_seconds", "histogram", "How long.")
    out.histogram(histogram, mode="x")
    out.histogram(Histogram([1]), mode="y")
    page = parse(out.page())
    assert [page.value("h_seconds_bucket", mode="x", le=le) for le in ("0.5", "2", "+Inf")] == [2, 3, 4]
    assert page.value("h_seconds_sum", mode="x") == 8.85
    assert page.value("h_seconds_count", mode="x") == 4
    assert page.value("h_seconds_count", mode="y") == 0


def test_numbers() -> None:
    out = Exposition()
    out.family("n", "gauge", "Numbers.")
    for number, value in enumerate([math.inf, -math.inf, 1e300, 1e-9, True]):
        out.sample(value, number=str(number))
    lines = out.page().decode().splitlines()[2:]
    values = [line.rpartition(" ")[2] for line in lines]
    assert values[:2] == ["+Inf", "-Inf"]
    assert [float(value) for value in values[2:]] == [1e300, 1e-9, 1.0]


@pytest.mark.parametrize(
    "page", ["a 1", "a 1\n", "# HELP a x\n# TYPE a gauge\na{b=1} 1\n", "# HELP a x\n# TYPE a gauge\na x\n"]
)
def test_the_reader_is_strict(page: str) -> None:
    with pytest.raises((AssertionError, KeyError)):
        parse(page.encode())
