"""Small fabrics described, drawn and under traffic, for the tests of their pages."""

from __future__ import annotations

from functools import cache

import myriad.api as api
from myriad.spec.fabric import Damage, LinkFault
from myriad.spec.fabric_drawing import FabricDrawing
from myriad.spec.fabric_result import FabricComparison, FabricDescription
from myriad.spec.traffic import CollectiveTraffic, Conditions
from myriad.spec.traffic_result import TrafficResult

CLUSTER = "hgx-h800:512"
FABRICS = ("fat-tree-ndr-rails", "rail-only-ndr", "slim-fly", "dragonfly", "tpu-v4-torus")


@cache
def described() -> tuple[FabricDescription, FabricDrawing]:
    return api.describe_fabric(FABRICS[0], CLUSTER, grow=True), api.draw_fabric(FABRICS[0], CLUSTER)


@cache
def compared() -> tuple[FabricComparison, dict[str, FabricDrawing]]:
    comparison = api.compare_fabrics(FABRICS, CLUSTER)
    joined = [row.name for row in comparison.rows if row.description is not None]
    return comparison, {name: api.draw_fabric(name, CLUSTER) for name in joined}


@cache
def traffic() -> TrafficResult:
    asked = CollectiveTraffic(collective="all-to-all", size=64 * 2**20, group=64, stride=8)
    conditions = Conditions(routing="ecmp", damage=Damage(links=(LinkFault(share=0.02),)))
    return api.simulate_collective("fat-tree-ndr-2to1", CLUSTER, asked, conditions, draw_it=True)
