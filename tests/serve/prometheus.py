"""A strict reader of Prometheus's text format, for tests: whatever the specification forbids is an error here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (\+Inf|-Inf|NaN|-?[0-9.]+(?:e[+-]?[0-9]+)?)")
_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}

Labels = frozenset[tuple[str, str]]


@dataclass
class Family:
    kind: str
    about: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


@dataclass
class Page:
    families: dict[str, Family]

    def value(self, name: str, **labels: str) -> float:
        """The one sample of exactly these labels."""
        for suffix in ("", "_bucket", "_sum", "_count"):
            family = self.families.get(name.removesuffix(suffix) if suffix else name)
            if family is not None and (name, frozenset(labels.items())) in family.samples:
                return family.samples[name, frozenset(labels.items())]
        raise KeyError((name, labels))


def parse(page: bytes) -> Page:
    """Read a page. Raises AssertionError for anything a strict scraper would not take."""
    text = page.decode()
    assert text.endswith("\n")
    families: dict[str, Family] = {}
    current = ""
    lines = text.split("\n")[:-1]
    for number, line in enumerate(lines):
        if line.startswith("# HELP "):
            _, _, current, about = line.split(" ", 3)
            assert re.fullmatch(_NAME, current)
            assert current not in families, f"{current} comes twice"
            assert lines[number + 1].startswith(f"# TYPE {current} "), line
            families[current] = Family(lines[number + 1].split(" ")[3], about)
            continue
        if line.startswith("# TYPE "):
            assert line.split(" ")[2] == current
            assert line.split(" ")[3] in ("counter", "gauge", "histogram")
            continue
        _add_sample(families[current], current, line)
    for name, family in families.items():
        assert not name.endswith(("_sum", "_count", "_bucket")), name
        if family.kind == "counter":
            assert name.endswith("_total"), name
            assert all(value >= 0 for value in family.samples.values())
        if family.kind == "histogram":
            _check_histogram(name, family)
    return Page(families)


def _add_sample(family: Family, name: str, line: str) -> None:
    found = _SAMPLE.fullmatch(line)
    assert found, f"no sample: {line!r}"
    pairs = [(label, re.sub(r"\\.", lambda m: _ESCAPES[m[0]], text)) for label, text in _PAIR.findall(found[2] or "")]
    labels = frozenset(pairs)
    assert len(dict(pairs)) == len(pairs), f"a label comes twice: {line}"
    suffixes = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
    assert found[1] in [f"{name}{suffix}" for suffix in suffixes], line
    assert (found[1], labels) not in family.samples, f"a sample comes twice: {line}"
    family.samples[found[1], labels] = float(found[3])


def _check_histogram(name: str, family: Family) -> None:
    series: dict[Labels, list[tuple[float, float]]] = {}
    for (sample, labels), value in family.samples.items():
        if sample == f"{name}_bucket":
            bound = float(dict(labels)["le"])
            series.setdefault(labels - {("le", dict(labels)["le"])}, []).append((bound, value))
    for labels, buckets in series.items():
        assert buckets == sorted(buckets), "bounds and counts both rise"
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)
        assert buckets[-1][0] == float("inf")
        assert buckets[-1][1] == family.samples[f"{name}_count", labels]
        assert (f"{name}_sum", labels) in family.samples
