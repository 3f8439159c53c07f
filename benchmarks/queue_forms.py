"""Jobs on one cluster against queueing formulas: cases for `closed_forms.py`.

Each case gives the formula's value and that of independent runs. A run starts with an empty cluster; what comes within
ten relaxation times is left out, and jobs that are counted all run to their end. The relaxation time of M/M/c is
1 / (c mu (1 - sqrt(rho))^2) (Abate and Whitt 1988, there for M/M/1), the slowest rate at which the start is forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from myriad.sim.jobs import JobRuns, Machines, Resume, Submissions, simulate_jobs
from myriad.spec.jobs import Policy

Random = np.random.Generator
Array = npt.NDArray[np.float64]
Queue = Callable[[Random, np.random.SeedSequence], tuple[float, Array]]

RUNS = 20
FIFO = Policy(name="fifo", order="fifo", backfill="none", placement="first-fit")


def erlang_c(servers: int, load: float) -> float:
    """Probability of waiting in M/M/c with `load` = arrival rate times mean service time, below `servers`.

    From Erlang's B by B(n) = a B(n-1) / (n + a B(n-1)); C = B / (1 - rho (1 - B)).
    """
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1.0 - load / servers * (1.0 - blocked))


def wait_of_many_servers(parameters: Random, seed: np.random.SeedSequence) -> tuple[float, Array]:
    """M/M/c: mean wait C / (c mu - lambda)."""
    servers, rho = _servers(parameters)
    exact = erlang_c(servers, rho * servers) / (servers * (1.0 - rho))
    return exact, _each(servers, rho, seed, lambda jobs, runs, counted: float(runs.waited_s[counted].mean()))


def waiting_at_many_servers(parameters: Random, seed: np.random.SeedSequence) -> tuple[float, Array]:
    """M/M/c: the share of jobs that wait, Erlang's C."""
    servers, rho = _servers(parameters)
    exact = erlang_c(servers, rho * servers)
    return exact, _each(servers, rho, seed, lambda jobs, runs, counted: float((runs.waited_s[counted] > 0.0).mean()))


def use_of_many_servers(parameters: Random, seed: np.random.SeedSequence) -> tuple[float, Array]:
    """M/M/c: accelerators held, rho, over the time in which counted jobs come."""
    servers, rho = _servers(parameters)

    def used(jobs: Submissions, runs: JobRuns, counted: slice) -> float:
        begin, end = _counted_s(servers, rho)
        held = np.minimum(runs.ended_s, end) - np.maximum(runs.started_s, begin)
        return float(np.clip(held, 0.0, None).sum()) / (servers * (end - begin))

    return rho, _each(servers, rho, seed, used)


def wait_of_any_service(parameters: Random, seed: np.random.SeedSequence) -> tuple[float, Array]:
    """M/G/1 with lognormal or equal service times: lambda E[S^2] / (2 (1 - rho)), Pollaczek and Khinchine."""
    rho = parameters.uniform(0.2, 0.8)
    spread = float(parameters.choice([0.0, 0.5, 1.0]))
    exact = rho * math.exp(spread**2) / (2.0 * (1.0 - rho))

    def service(random: Random, count: int) -> Array:
        return np.exp(spread * random.standard_normal(count) - 0.5 * spread**2)

    return exact, _each(1, rho, seed, _mean_wait, service=service)


def wait_by_priority(parameters: Random, seed: np.random.SeedSequence) -> tuple[float, Array]:
    """M/M/1 with three classes that do not interrupt each other (Cobham 1954): W0 / ((1 - s(k-1)) (1 - s(k)))."""
    return _of_class(parameters, seed, FIFO.model_copy(update={"order": "priority"}))


def response_with_preemption(parameters: Random, seed: np.random.SeedSequence) -> tuple[float, Array]:
    """The same with preemption, where nothing is lost: time until the end, 1 / (1 - s(k-1)) + R(k) / (both)."""
    policy = FIFO.model_copy(update={"order": "priority", "preemption": "priority", "preempt_after": 0.0})
    return _of_class(parameters, seed, policy)


def _of_class(parameters: Random, seed: np.random.SeedSequence, policy: Policy) -> tuple[float, Array]:
    rho = parameters.uniform(0.3, 0.8)
    parts = rho * parameters.dirichlet([3.0, 3.0, 3.0])
    chosen = int(parameters.integers(3))
    before, until = float(parts[:chosen].sum()), float(parts[: chosen + 1].sum())
    if policy.preemption == "none":
        exact = rho / ((1.0 - before) * (1.0 - until))
    else:
        exact = 1.0 / (1.0 - before) + until / ((1.0 - before) * (1.0 - until))

    def mean(jobs: Submissions, runs: JobRuns, counted: slice) -> float:
        mine = jobs.priority[counted] == -chosen
        time = runs.waited_s if policy.preemption == "none" else runs.ended_s - jobs.submitted_s
        return float(time[counted][mine].mean())

    return exact, _each(1, rho, seed, mean, policy, classes=parts / rho)


def _servers(parameters: Random) -> tuple[int, float]:
    """Of those where at least one job of fifty waits: of fewer a run sees too few to say anything."""
    while True:
        servers, rho = round(math.exp(parameters.uniform(0.0, math.log(64.0)))), parameters.uniform(0.3, 0.85)
        if erlang_c(servers, rho * servers) >= 0.02:
            return servers, rho


def _mean_wait(jobs: Submissions, runs: JobRuns, counted: slice) -> float:
    del jobs
    return float(runs.waited_s[counted].mean())


def _counted_s(servers: int, rho: float) -> tuple[float, float]:
    relaxation = 1.0 / (servers * (1.0 - math.sqrt(rho)) ** 2) + 1.0
    return 10.0 * relaxation, 40.0 * relaxation + 300.0 / (rho * servers)


def _exponential(random: Random, count: int) -> Array:
    return random.exponential(size=count)


def _each(
    servers: int,
    rho: float,
    seed: np.random.SeedSequence,
    measure: Callable[[Submissions, JobRuns, slice], float],
    policy: Policy = FIFO,
    service: Callable[[Random, int], Array] = _exponential,
    classes: Array | None = None,
) -> Array:
    """The measure in each run. Mean service time is 1; jobs come at rate `rho * servers`."""
    begin, end = _counted_s(servers, rho)
    values = []
    for one in seed.spawn(RUNS):
        random = np.random.default_rng(one)
        count = random.poisson(rho * servers * end)
        submitted = np.sort(random.random(count) * end)
        run = service(random, count)
        kinds = np.zeros(count, dtype=np.int64) if classes is None else random.choice(3, count, p=classes)
        jobs = Submissions(
            submitted_s=submitted,
            accelerators=np.ones(count),
            run_s=run,
            limit_s=np.full(count, math.inf),
            outcome=np.zeros(count, dtype=np.int64),
            tenant=np.zeros(count, dtype=np.int64),
            priority=-kinds,
            tenants=("all",),
        )
        # Nothing is lost where the interval of checkpoints is 0.
        runs = simulate_jobs(jobs, Machines(1, servers, 1), policy, 100.0 * end, resume=Resume(interval_s=0.0))
        first = int(np.searchsorted(submitted, begin))
        values.append(measure(jobs, runs, slice(first, count)))
    return np.array(values)


QUEUES: dict[str, Queue] = {
    "M/M/c wait": wait_of_many_servers,
    "M/M/c waiting": waiting_at_many_servers,
    "M/M/c use": use_of_many_servers,
    "M/G/1 wait": wait_of_any_service,
    "M/M/1 priority": wait_by_priority,
    "M/M/1 preemption": response_with_preemption,
}
