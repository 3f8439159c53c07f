"""The fabrics of a plan's pools: described, drawn, priced, and with the traffic of the jobs planned on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from myriad import catalog
from myriad.api.bill import bill_of
from myriad.api.clusters import with_network_of
from myriad.api.fabric import described, fabric_of, network_of
from myriad.api.fabric_traffic import Progress
from myriad.api.step_study import JobOnFabric, study
from myriad.errors import InfeasibleError, SpecError
from myriad.estimate.fabric.drawing import draw
from myriad.estimate.fabric.network import Network
from myriad.estimate.setting import Setting
from myriad.estimate.step_traffic import step_traffic
from myriad.estimate.training import estimate_layout
from myriad.spec.bill import Bill
from myriad.spec.cluster import Cluster
from myriad.spec.fabric import Fabric
from myriad.spec.fabric_plan import PoolFabric
from myriad.spec.result import JobPlan
from myriad.spec.system import Owned, Pool, System
from myriad.spec.traffic import Conditions
from myriad.spec.traffic_result import StepOnFabric

StepProgress = Callable[[str], Progress | None]
SettingOn = Callable[[str, Cluster], Setting]
"""The setting of a job by name on a cluster."""


def fabrics_of(
    system: System,
    jobs: Iterable[JobPlan],
    setting_on: SettingOn,
    rates: Mapping[str, float],
    progress: StepProgress | None = None,
) -> dict[str, PoolFabric]:
    """By pool what its fabric is, costs and carries; pools whose file names no fabric are left out.

    `rates` are US dollars per unit of each currency.
    `progress` is called with `job on the fabric of pool` before each simulation.
    """
    chosen = [job for job in jobs if job.chosen is not None and job.chosen.estimate is not None]
    found = {}
    for name, pool in system.pools.items():
        if pool.fabric is not None:
            own = [job for job in chosen if job.chosen is not None and job.chosen.pool == name]
            found[name] = _pool_fabric(system, name, pool, pool.fabric, own, setting_on, rates, progress)
    return found


def _pool_fabric(
    system: System,
    name: str,
    pool: Pool,
    named: str | Fabric,
    jobs: list[JobPlan],
    setting_on: SettingOn,
    rates: Mapping[str, float],
    progress: StepProgress | None,
) -> PoolFabric:
    fabric_name = named if isinstance(named, str) else named.topology.kind
    fabric = fabric_of(named) if isinstance(named, str) else named
    sites = 1 if pool.sites is None else pool.sites.number
    # At line rate: the fabric is what is asked about here.
    cluster = catalog.cluster_of(name, pool)
    node, number = with_network_of(catalog.node_of(pool), cluster), cluster.num_accelerators // sites
    network = network_of(fabric, node, number)
    steps: list[StepOnFabric] = []
    missing: list[str] = []
    for job in jobs:
        assert job.chosen is not None
        assert job.chosen.estimate is not None
        if sites > 1:
            missing.append(f"{job.name}: traffic between sites is not simulated")
            continue
        layout = job.chosen.estimate.layout
        setting = setting_on(job.name, cluster)
        estimate = estimate_layout(setting, layout)
        slowest = max(estimate.stages, key=lambda stage: stage.micro_batch_s)
        traffic = step_traffic(setting, layout, slowest)
        asked = JobOnFabric(
            system.name, job.name, name, setting, cluster, estimate, fabric_name, fabric, network, traffic
        )
        try:
            own = progress(f"{job.name} on the fabric of {name}") if progress is not None else None
            steps.append(study(asked, "", Conditions(), own, draw_it=True))
        except (InfeasibleError, SpecError) as error:
            missing.append(f"{job.name}: {error}")
    return PoolFabric(
        description=described(fabric_name, fabric, node, number),
        drawing=draw(network, fabric.topology),
        steps=tuple(steps),
        bill=_bill(name, pool, fabric_name, fabric, network, rates),
        stated_usd=pool.terms.price_per_gpu.usd(rates) * pool.count if isinstance(pool.terms, Owned) else None,
        missing=tuple(missing),
    )


def _bill(
    name: str, pool: Pool, fabric_name: str, fabric: Fabric, network: Network, rates: Mapping[str, float]
) -> Bill | None:
    """What the pool would be bought as, if that is a question: rented ones and those of several sites are left out."""
    if not isinstance(pool.terms, Owned) or pool.sites is not None:
        return None
    node_id = catalog.node_id_of(pool.node or pool.accelerator or "")
    return bill_of(
        network, fabric, node_id, network.num_hosts, cluster=name, fabric_name=fabric_name, usd_per_currency=rates
    )
