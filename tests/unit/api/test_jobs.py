"""Jobs of a mix on a cluster, several times, under several policies."""

from __future__ import annotations

import pytest

from job_cases import Job, submissions
from myriad.api.jobs import resume_of, simulate_job_mix
from myriad.engine import Local
from myriad.errors import SpecError
from myriad.spec.jobs import JobClass, JobMix
from myriad.spec.recovery import Checkpoint, Recovery, Restart

ONE = Local(workers=1)
MIX = JobMix(
    name="small",
    cluster_accelerators=64,
    jobs_per_day=150.0,
    longest_run=20_000.0,
    classes=(
        JobClass(accelerators=1, share=0.7, median_run=600.0, mean_run=1800.0),
        JobClass(accelerators=8, share=0.2, median_run=1200.0, mean_run=3600.0, failed=0.5),
        JobClass(accelerators=32, share=0.1, median_run=1800.0, mean_run=6000.0),
    ),
)


def test_policies_meet_the_same_jobs_and_the_same_seed_gives_the_same_result() -> None:
    first = simulate_job_mix(MIX, ("fifo", "slurm-backfill"), days=4.0, runs=3, seed=5, engine=ONE)
    again = simulate_job_mix(MIX, ("slurm-backfill", "fifo"), days=4.0, runs=3, seed=5, engine=Local(workers=2))
    fifo, slurm = first.policies
    assert again.policies == (slurm, fifo)
    assert [line.jobs for line in fifo.sizes] == [line.jobs for line in slurm.sizes]
    assert slurm.waiting.mean.mean < fifo.waiting.mean.mean
    assert first.accelerators == 64
    assert fifo.in_service.mean == 1.0
    assert fifo.utilisation.low is not None
    assert fifo.utilisation.low < fifo.utilisation.mean < 1.0
    assert slurm.shares["failed"].mean > 0.0


def test_nodes_break() -> None:
    broken = simulate_job_mix(
        MIX,
        accelerators=2048,
        scale=1.0,
        days=10.0,
        runs=2,
        engine=ONE,
        reliability="meta-rsc1-a100",
        recovery=Recovery(),
    )
    assert broken.checkpoint_interval_s == 3600.0
    assert 0.9 < broken.policies[0].in_service.mean < 1.0
    assert broken.reliability is not None


def test_a_list_of_jobs_is_simulated_once() -> None:
    jobs = submissions(*(Job(3600.0 * hour, 8, 1800) for hour in range(48)))
    with pytest.raises(SpecError, match="accelerators"):
        simulate_job_mix(jobs, days=2.0, runs=1, engine=ONE)
    result = simulate_job_mix(jobs, days=2.0, runs=1, accelerators=8, name="ours", engine=ONE)
    assert result.jobs == "ours"
    assert result.policies[0].utilisation.mean == pytest.approx(0.5)


def test_a_recovery_becomes_what_a_stopped_job_goes_on_from() -> None:
    recovery = Recovery(checkpoints=(Checkpoint(interval=900.0, read=30.0),), restart=Restart(schedule=0.0))
    resume = resume_of(recovery)
    assert resume.interval_s == 900.0
    assert resume.restart_s == pytest.approx(60 + 10 + 60 + 30)
    assert resume.restart_per_node_s == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policies": ("fifo", "fifo")}, "once"),
        ({"policies": ("fifi",)}, "fifo"),
        ({"policies": ()}, "at least one"),
        ({"runs": 0}, "runs"),
        ({"days": 0.0}, "days"),
        ({"warm_up_days": -1.0}, "warm-up"),
    ],
)
def test_wrong_questions(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        simulate_job_mix(MIX, **changes)  # type: ignore[arg-type]
