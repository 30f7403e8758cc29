"""How far our token estimate is from upstream's own count, learnt for each model from the answers that carry one.

Upstream's figure for a request is well described by ``estimate x ratio + overhead``: the ratio is the difference of the
two tokenizers, and of the window that upstream divides by (field-notes §1 row 6), the overhead is what is put into
every prompt unseen, about 4,000 tokens (field-notes §2b), and by us. The two numbers are the least squares of the
*relative* errors, pulled towards 1 and 0 as long as little is known; older answers fade. An answer that does not fit
at all is ignored, unless many in a row say the same, since then it is upstream that has changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from kiro_rs_py.convert.anthropic import JsonObject

MIN_SAMPLES: Final = 3
"""Before that many answers the estimate stands as it is."""
MIN_ESTIMATE: Final = 100
"""Tokens; of smaller requests, most is what we do not see."""
RATIOS: Final = (0.5, 3.0)
OVERHEADS: Final = (0.0, 20_000.0)
STRAYS: Final = 8
"""So many misfits in a row are no accident."""
MAX_MODELS: Final = 256

_FADING: Final = 0.95
"""Weight of an answer against the next one: half after 14."""
_MISFIT: Final = 2.0
"""A figure more than that many times too large or too small is not believed."""
# Of the prior, in samples: an error of a tenth is usual for one answer, and before any the ratio is 1 ± 0.3, the
# overhead 0 ± 4 thousand.
_RATIO_PRIOR: Final = (0.1 / 0.3) ** 2
_OVERHEAD_PRIOR: Final = (0.1 / 4.0) ** 2
_THOUSAND: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """One model's. ``samples`` answers were learnt from; ``strays`` in a row did not fit.

    ``sums`` are those of u x u, u x v, v x v, u and v with fading weights, where u = estimate / figure and
    v = 1000 / figure: the relative error of one answer is ratio x u + overhead x v - 1, the overhead in thousands.
    """

    samples: int = 0
    strays: int = 0
    sums: tuple[float, ...] = (0.0,) * 5

    @property
    def known(self) -> bool:
        return self.samples >= MIN_SAMPLES

    @property
    def ratio(self) -> float:
        """1.0 until enough is known, always within :data:`RATIOS`."""
        return self._solve()[0]

    @property
    def overhead(self) -> int:
        """Tokens; 0 until enough is known, always within :data:`OVERHEADS`."""
        return round(self._solve()[1])

    def apply(self, estimate: int) -> int:
        """What upstream will probably count for a request of this estimate; at least 1."""
        ratio, overhead = self._solve()
        return max(1, round(estimate * ratio + overhead))

    def learnt(self, estimate: int, figure: int) -> Calibration:
        """This, with one answer more. ``figure`` is upstream's count of the request we took for ``estimate`` tokens."""
        # What the bounds of both numbers cannot express is no figure.
        if estimate < MIN_ESTIMATE or not estimate * RATIOS[0] <= figure <= estimate * RATIOS[1] + OVERHEADS[1]:
            return self
        if self.known and not self.apply(estimate) / _MISFIT <= figure <= self.apply(estimate) * _MISFIT:
            if self.strays + 1 < STRAYS:
                return replace(self, strays=self.strays + 1)
            return Calibration().learnt(estimate, figure)
        u, v = estimate / figure, _THOUSAND / figure
        news = (u * u, u * v, v * v, u, v)
        sums = tuple(old * _FADING + new for old, new in zip(self.sums, news, strict=True))
        return Calibration(self.samples + 1, sums=sums)

    def _solve(self) -> tuple[float, float]:
        """Ratio and overhead in tokens: the normal equations, and within the bounds."""
        if not self.known:
            return 1.0, 0.0
        uu, uv, vv, right_u, right_v = self.sums
        uu, vv, right_u = uu + _RATIO_PRIOR, vv + _OVERHEAD_PRIOR, right_u + _RATIO_PRIOR
        # Never 0: the priors keep the product of the diagonal above the square of the sum of products.
        overhead = (right_v * uu - right_u * uv) / (uu * vv - uv * uv)
        overhead = _within(overhead, OVERHEADS[0] / _THOUSAND, OVERHEADS[1] / _THOUSAND)
        ratio = _within((right_u - overhead * uv) / uu, *RATIOS)
        return ratio, overhead * _THOUSAND

    def to_json(self) -> JsonObject:
        """All of it, for the state file."""
        return {"samples": self.samples, "strays": self.strays, "sums": list(self.sums)}


def parse_calibration(value: object) -> Calibration | None:
    """What :meth:`Calibration.to_json` gave; None for anything else."""
    if not isinstance(value, Mapping):
        return None
    samples, strays, sums = _count(value.get("samples")), _count(value.get("strays")), value.get("sums")
    if samples is None or strays is None or not isinstance(sums, list) or len(sums) != 5:
        return None
    if not all(isinstance(item, int | float) and math.isfinite(item) and 0 <= item < 1e9 for item in sums):
        return None
    uu, uv, vv, *_ = sums
    # No numbers that ever were summed break this rule (Cauchy and Schwarz), and without it there may be no solution.
    return Calibration(samples, strays, tuple(map(float, sums))) if uv * uv <= uu * vv * 1.000001 else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1e15 else None


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


class Calibrations:
    """Those of all models, by upstream id. ``changed`` are the ids learnt of since it was last emptied."""

    def __init__(self, known: Mapping[str, Calibration] | None = None) -> None:
        self._known = dict(known or {})
        self.changed: set[str] = set()

    def of(self, upstream_id: str) -> Calibration:
        return self._known.get(upstream_id, Calibration())

    def learn(self, upstream_id: str, estimate: int, figure: int) -> None:
        """See :meth:`Calibration.learnt`."""
        before = self.of(upstream_id)
        after = before.learnt(estimate, figure)
        if after != before and (upstream_id in self._known or len(self._known) < MAX_MODELS):
            self._known[upstream_id] = after
            self.changed.add(upstream_id)
