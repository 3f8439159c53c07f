"""The batch script: options that the release knows, and nodes in the order that the plan counts on.

Run on a real Slurm in tests/e2e and tests/engines.
"""

from __future__ import annotations

import re
import subprocess
from typing import Any

import numpy as np
import pytest

from myriad.errors import SpecError
from myriad.launch.training.schedulers import scheduler_files
from myriad.launch.training.schedulers.placement import leaves, units
from scheduled import SCHEDULERS, flagship
from slurm_fabric import groups_under_one_leaf

SLURM = {"kind": "slurm"}


def script(scheduler: dict[str, Any] = SLURM, **more: Any) -> str:
    batch, _ = scheduler_files(flagship(scheduler, **more))
    assert batch.path == "job.sbatch"
    return batch.text


def options(text: str) -> list[str]:
    return re.findall(r"^#SBATCH --(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("spares", [0, 25])
@pytest.mark.parametrize("name", ["slurm", "slurm-block"])
def test_the_script_is_one_that_bash_reads(name: str, spares: int) -> None:
    text = script(SCHEDULERS[name], spare_nodes=spares)
    subprocess.run(["bash", "-n"], input=text, text=True, check=True, timeout=20)


def test_it_asks_for_what_was_planned() -> None:
    asked = options(script(SCHEDULERS["slurm"]))
    assert {"nodes=800", "gres=gpu:8", "mem=0", "switches=25@5:00", "requeue", "exclusive"} <= set(asked)
    assert {"partition=train", "account=flagship", "time=2-00:00:00", "signal=B:USR1@120"} <= set(asked)
    assert "no-kill" not in asked


def test_spares_are_held_where_they_are_free_and_a_broken_node_ends_nothing() -> None:
    asked = options(script(spare_nodes=25))
    assert {"nodes=800-825", "no-kill", "switches=26@5:00"} <= set(asked)
    # As many tasks as nodes would be all that Slurm gives.
    assert not any(option.startswith("ntasks") for option in asked)


def test_blocks_are_asked_for_in_groups() -> None:
    asked = options(script(SCHEDULERS["slurm-block"]))
    assert "segment=32" in asked
    assert not any(option.startswith("switches") for option in asked)
    text = script(SCHEDULERS["slurm-block"] | {"mounts": ["/data", "/my sets:/sets"]})
    assert "--container-image=registry.example.com/train:1" in text
    assert """:"$MYRIAD_RUN_FOLDER",/data:/data,'/my sets:/sets' """ in text


@pytest.mark.parametrize(
    ("scheduler", "more", "said"),
    [
        ({"version": "22.50"}, {}, "scheduler.version: unknown release of Slurm '22.50'; did you mean '22.05'"),
        ({"topology": "block"}, {}, "scheduler.topology: Slurm 22.05 has no blocks; expected tree or none, or 23.11"),
        ({"mounts": ["/data"]}, {}, "scheduler.mounts: only a container has any"),
        ({"time_limit": 540.0}, {}, "scheduler.time_limit: found 540 s; expected at least 600 s"),
        ({"container": "pyxis"}, {"launch": {}}, "jobs.flagship-pretrain.launch.image: missing"),
    ],
)
def test_what_the_release_does_not_know_is_refused(scheduler: dict[str, Any], more: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=re.escape(said)):
        script(SLURM | scheduler, **more)


def test_groups_of_the_layout_say_how_many_nodes_lie_together() -> None:
    # A stage has 256 ranks on 32 nodes, which fill a leaf; 16 experts lie on 2.
    assert units(flagship(SLURM)) == (32, 2)
    assert leaves(flagship(SLURM)) == 25
    # Stages of 400 ranks do not fit under a leaf; their experts do.
    whole = flagship(SLURM, layout={"sp": False, "pp": 25, "cp": 2, "ep": 16, "dp": 200}, nodes=1250)
    assert (units(whole), leaves(whole)) == ((2,), 40)
    assert units(flagship(SLURM, nodes_per_group=())) == ()
    # With data parallelism outermost a pipeline of 50 ranks lies on 7 nodes, and cannot be cut evenly before the whole.
    turned = {"order": "tp-cp-ep-pp-dp", "sp": False, "pp": 4, "cp": 2, "dp": 800}
    assert units(flagship(SLURM, layout=turned, nodes=800)) == ()
    turned = {"order": "tp-cp-ep-pp-dp", "sp": False, "pp": 16, "cp": 2, "dp": 200}
    assert units(flagship(SLURM, layout=turned, nodes=800)) == (4,)


def placed(text: str, nodes: list[str]) -> list[str]:
    """What the script's own function makes of nodes, which have passed their check."""
    (units_line,) = re.findall(r"^units=.*$", text, re.MULTILINE)
    (place,) = re.findall(r"^place\(\) \{\n.*?^\}", text, re.MULTILINE | re.DOTALL)
    given = "".join(f"ok {one.rpartition('.')[2]} {one}\n" for one in nodes) + "bad n999 no card\n"
    done = subprocess.run(
        ["bash", "-c", f"{units_line}\n{place}\nplace"],
        input=given, capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.parametrize("broken", [0, 3, 40])
def test_groups_lie_under_one_switch_whatever_nodes_are_left(broken: int) -> None:
    random = np.random.default_rng(broken)
    leaf_of = {f"n{node}": place // 32 for place, node in enumerate(random.permutation(1250))}
    nodes = [f"core.pod{leaf // 4}.leaf{leaf}.{node}" for node, leaf in leaf_of.items()]
    left = list(random.permutation(nodes))[broken:]
    launch = flagship(SLURM)
    order = placed(script(), left)
    assert sorted(order) == sorted(one.rpartition(".")[2] for one in left)
    leaf_of_rank = np.repeat([leaf_of[node] for node in order[: launch.nodes]], 8)
    found = groups_under_one_leaf(launch.layout, leaf_of_rank)
    assert found["expert"] == (400, 400)
    assert found["data"][0] >= 25 - max(0, broken - 14)  # of 39 whole leaves 25 are needed
    assert len(set(leaf_of_rank)) <= 25 + max(0, broken - 14)


def test_without_switches_nodes_are_in_the_order_of_their_names() -> None:
    assert placed(script(nodes_per_group=()), ["n10", "n9", "n1"]) == ["n1", "n9", "n10"]


def test_dots_in_names_of_nodes_are_no_switches() -> None:
    (place,) = re.findall(r"^place\(\) \{\n.*?^\}", script(), re.MULTILINE | re.DOTALL)
    nodes = {f"n{i}.example.com": f"core.leaf{i % 2}" for i in range(4)}
    given = "".join(f"ok {node} {switches}.{node}\n" for node, switches in nodes.items())
    done = subprocess.run(
        ["bash", "-c", f"units=(2)\n{place}\nplace"],
        input=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert [name.partition(".")[0] for name in done.stdout.split()] == ["n0", "n2", "n1", "n3"]


def test_the_check_of_a_node_counts_its_accelerators(tmp_path: Any) -> None:
    (_, health) = scheduler_files(flagship(SLURM))
    tool = tmp_path / "nvidia-smi"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "MYRIAD_RUN_FOLDER": str(tmp_path)}

    def check(**more: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh"], input=health.text, env=environment | more, capture_output=True, text=True, timeout=20, check=False
        )
        return done.returncode, done.stdout

    for seen, said in ((8, (0, "")), (7, (1, "nvidia-smi lists 7 of 8 accelerators\n"))):
        lines = "".join(f"echo 'GPU {i}: NVIDIA H800 (UUID: GPU-{i})'\n" for i in range(seen))
        tool.write_text(f"#!/bin/sh\n{lines}")
        tool.chmod(0o755)
        assert check() == said
    tool.unlink()
    assert check() == (0, "")
    assert check(MYRIAD_HEALTH_CHECK="echo slow link; false") == (1, "MYRIAD_HEALTH_CHECK: slow link\n")
    assert check(MYRIAD_RUN_FOLDER="/no/such") == (1, "/no/such cannot be written\n")
