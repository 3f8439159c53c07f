"""What breaks in one life of a cluster, drawn."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from myriad import catalog
from myriad.api.failures import breakable_of
from myriad.sim.failures import draw_incidents


@pytest.mark.parametrize(("accelerators", "days"), [(16_384, 90), (100_000, 365)])
def test_draw_incidents(benchmark, accelerators: int, days: int) -> None:
    node, _ = catalog.counted_node("dgx-h100:8")
    pool = breakable_of("h100-fleet", node, accelerators // node.num_accelerators)
    seeds = count()
    found = benchmark(lambda: draw_incidents(pool, days * 86400.0, np.random.SeedSequence(next(seeds))))
    benchmark.extra_info["incidents"] = len(found)
