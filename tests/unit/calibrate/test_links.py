"""A table made with known figures: the fit finds them again, and judging sees no error."""

import numpy as np
import pytest

from myriad.calibrate.link_judging import judge_links, links_text
from myriad.calibrate.links import fit_link
from myriad.estimate.nccl_tests import COLLECTIVES, TIMES
from myriad.estimate.tiers import place
from myriad.spec.cluster import Link

pytest.importorskip("scipy")
pd = pytest.importorskip("pandas")

LINK = Link(
    tier="scale-up", domain=8, bytes_per_s_one_way=450e9, efficiency=0.83, latency_s=0.8e-6, half_bytes=4e6,
    start_s=5e-6, reduction_share=0.7, reduction_start_s=4e-5,
)  # fmt: skip


@pytest.fixture
def ops(tmp_path):
    sizes, gpus = (a.ravel() for a in np.meshgrid(2.0 ** np.arange(9, 30), [2.0, 4.0, 8.0]))
    made = [
        pd.DataFrame(
            {"dtype": "half", "collective": kind, "num_gpus": gpus, "message_bytes": sizes,
             "latency_us": TIMES[kind](sizes, place(gpus, 1, (LINK,))) * 1e6}
        )
        for kind in COLLECTIVES
    ]  # fmt: skip
    other = made[0].assign(dtype="int8", latency_us=1.0)
    pd.concat([*made, other]).to_parquet(tmp_path / "any__nccl.parquet")
    return tmp_path


def test_known_figures_are_found_again(ops):
    found = fit_link(ops, "any", 450e9, sums_in_switch=True)
    assert found.efficiency == pytest.approx(0.83, rel=0.01)
    assert found.latency_s == pytest.approx(0.8e-6, rel=0.02)
    assert found.start_s == pytest.approx(5e-6, rel=0.02)
    assert found.reduction == pytest.approx((0.7, 4e-5), rel=0.02)
    assert max(found.median_error.values()) < 0.01
    without = fit_link(ops, "any", 450e9, sums_in_switch=False)
    assert without.reduction is None
    assert without.median_error["all_reduce"] >= found.median_error["all_reduce"]


def test_judging_is_by_collective_size_and_gpus(ops):
    judged = judge_links(ops, "any", LINK)
    assert len(judged) == 4 * 3 * 3
    assert sum(one.errors.rows for one in judged) == 4 * 21 * 3
    assert max(one.errors.p90 for one in judged) < 1e-9
    slower = judge_links(ops, "any", LINK.model_copy(update={"latency_s": 1.6e-6}))
    off = {(one.collective, one.gpus): one.errors.bias for one in slower if one.size == "up to 256 KiB"}
    assert off["all_reduce", 8] > off["all_reduce", 2] > 0
    assert links_text(judged).count("| any |") == len(judged)
