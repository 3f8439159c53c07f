"""Paths are the same with and without numba, and rates up to rounding."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = """
import json, sys
sys.path.insert(0, {tests!r})
import numpy as np
from small_fabrics import TOPOLOGIES, random_flows, small
from myriad.sim import compiled
from myriad.sim.network.flows import Activity, Phase
from myriad.sim.network.run import simulate
assert compiled.COMPILES == {compiles}
found = []
for name in TOPOLOGIES:
    for routing in ("ecmp", "spray"):
        network = small(name)
        flows = random_flows(name, network, 40)
        run = simulate(network, [Activity("a", (Phase(flows),))], routing)
        found += [run.makespan_s, float(run.link_bytes @ np.arange(len(run.link_bytes)))]
print(json.dumps(found))
"""


def test_compiled_and_plain_agree():
    pytest.importorskip("numba", reason="comes with the extra `simulate`")
    tests = str(Path(__file__).parent.parent)

    def found(compiles: bool) -> list[float]:
        environment = os.environ | {"NUMBA_DISABLE_JIT": "0" if compiles else "1"}
        program = PROGRAM.format(tests=tests, compiles=compiles)
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    np.testing.assert_allclose(found(True), found(False), rtol=1e-9)
