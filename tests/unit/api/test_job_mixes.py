from pathlib import Path

import numpy as np
import pytest

from myriad import api, catalog
from myriad.errors import MissingDataError, SpecError
from myriad.units import DAY_S


def test_mixes_come_from_the_catalog_or_from_a_file(tmp_path: Path) -> None:
    assert api.job_mix("Seren") is catalog.job_mix("acme-seren")
    path = tmp_path / "mix.yaml"
    path.write_text(
        "name: own\njobs_per_day: 10\nclasses: [{accelerators: 8, share: 1, median_run: 1 min, mean_run: 2 min}]\n"
    )
    assert api.job_mix(str(path)).classes[0].mean_run == 120
    with pytest.raises(SpecError, match="did you mean 'philly'"):
        api.job_mix("phily")


def test_a_larger_cluster_gets_more_jobs() -> None:
    mix = api.job_mix("philly")
    assert api.scale_of(mix, 24_900) == pytest.approx(10)
    jobs = api.drawn_jobs(mix, 2.0, scale=api.scale_of(mix, 24_900))
    assert len(jobs) == pytest.approx(2 * 12_830, rel=0.03)
    assert api.scale_of(mix.model_copy(update={"cluster_accelerators": None}), 8) == 1.0


def test_what_jobs_ask_for_is_bounded_by_the_longest_run() -> None:
    jobs = api.drawn_jobs("acme-kalos", 5.0, asked=5.0)
    longest = api.job_mix("acme-kalos").longest_run
    assert longest is not None
    assert jobs.limit_s == pytest.approx(np.minimum(5 * jobs.run_s, longest))
    with pytest.raises(SpecError, match="expected 1 or more"):
        api.drawn_jobs("acme-kalos", 1.0, asked=0.9)


def test_mixes_that_are_matched_to_large_jobs_show_them() -> None:
    mix = api.job_mix("meta-rsc-1")
    drawn = api.compare_drawn(mix, api.drawn_jobs(mix, 60.0), 60.0, 0)
    assert drawn.given is not None
    assert drawn.drawn.large[0].accelerators == drawn.given.large[0].accelerators == 4096
    assert drawn.drawn.large[0].accelerator_time == pytest.approx(0.12, abs=0.07)  # some 15 jobs


def test_a_trace_and_its_mix_stand_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text(
        "submitted_s,accelerators,run_s,waited_s\n" + "".join(f"{n * 60},8,{n},5\n" for n in range(1, 2000))
    )
    mix, drawn = api.fit_mix(path, cluster_accelerators=64)
    assert mix.name == "two"
    assert mix.cluster_accelerators == 64
    assert drawn.given is not None
    assert drawn.given.median_wait == 5
    assert drawn.drawn.mean_run == pytest.approx(1000, rel=0.05)
    assert drawn.drawn.jobs_per_day == pytest.approx(DAY_S / 60, rel=0.02)


def test_statistics_that_say_too_little_are_missing_data(tmp_path: Path) -> None:
    path = tmp_path / "few.yaml"
    path.write_text("jobs_per_day: 100\n")
    with pytest.raises(MissingDataError, match="few: a mix needs"):
        api.fit_mix(path)
