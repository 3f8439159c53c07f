"""Compiled code gives what plain Python gives, to the last bit. The first run compiles for half a minute."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from serving_tables import curved_table, mixed_requests
from myriad.sim import compiled
from myriad.sim.serving.run import run_fleet
from myriad.spec.fleet import Failures, Fleet, Link, ReplicaPool
assert compiled.COMPILES == {compiles}
pool = ReplicaPool(replicas=2, copies=2, failures=Failures(mtbf=60, repair=20), router="prefix-aware")
fleet = Fleet(replicas=pool, prefill=pool, link=Link(bandwidth=1e8))
run = run_fleet(fleet, (curved_table(6000), curved_table(8000)), mixed_requests(150, 4.0))
print(hashlib.sha256(run.times_s.tobytes() + run.requests.tobytes()).hexdigest())
"""


def test_compiled_and_plain_agree():
    pytest.importorskip("numba", reason="comes with the extra `simulate`")
    tests = str(Path(__file__).parent.parent)

    def digest(compiles: bool) -> str:
        environment = os.environ | {"NUMBA_DISABLE_JIT": "0" if compiles else "1"}
        program = PROGRAM.format(tests=tests, compiles=compiles)
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert digest(True) == digest(False)
