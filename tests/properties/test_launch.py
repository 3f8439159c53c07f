"""What holds for the files of every deployment."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad import catalog
from myriad.errors import SpecError
from myriad.launch.serving import commands_of, render
from serving_deployments import launch

ENGINES = [
    f"{engine}@{one}" for engine in ("vllm", "sglang", "tensorrt-llm") for one in catalog.launched_releases()[engine]
]
POWERS = st.sampled_from([1, 2, 4, 8])
LAYOUTS = st.fixed_dictionaries({"tp": POWERS, "pp": st.sampled_from([1, 2]), "dp": POWERS}).flatmap(
    lambda of: st.sampled_from([1, of["tp"] * of["dp"]]).map(lambda ep: of | {"ep": ep})
)
WORKS = st.fixed_dictionaries(
    {
        "engine": st.sampled_from(ENGINES),
        "precision": st.sampled_from(["bf16", "fp8", "nvfp4"]),
        "kv_precision": st.sampled_from(["bf16", "fp8"]),
        "max_sequences": st.none() | st.integers(1, 512),
        "max_batched_tokens": st.none() | st.integers(256, 16384),
        "memory_fraction": st.sampled_from([0.8, 0.9]),
    }
)  # fmt: skip
OTHER = {"kv_precision": "fp8", "max_sequences": 17, "max_batched_tokens": 1717, "memory_fraction": 0.77}
"""A change of each figure of the work that an engine is told."""


@settings(max_examples=40)
@given(LAYOUTS, WORKS, st.integers(1, 9), st.booleans())
def test_every_plan_is_rendered_whole_or_refused(layout: Any, work: Any, count: int, split: bool) -> None:
    one = launch("deepseek-v3", layout, work, count=count, prefill={"tp": 8} if split else None)
    try:
        files = render(one, catalog.engine_flags, experts=True)
    except SpecError:
        return
    assert len({file.path for file in files}) == len(files)
    (text,) = (file.text for file in files if file.path == "kubernetes.yaml")
    assert sum(_gpus(item) for item in yaml.load_all(text, yaml.CSafeLoader)) == one.deployment.gpus
    for command in commands_of(one, catalog.engine_flags, experts=True):
        for words in (command.words, command.other_words):
            flags = [word for word in words if word.startswith("--")]
            assert len(flags) == len(set(flags))
    assert render(one, catalog.engine_flags, experts=True) == files


def _gpus(item: Any) -> int:
    spec = item.get("spec", {})
    if item["kind"] == "LeaderWorkerSet":
        group = spec["leaderWorkerTemplate"]
        return int(spec["replicas"]) * int(group["size"]) * _limit(group["workerTemplate"])
    return int(spec["replicas"]) * _limit(spec["template"]) if item["kind"] in ("Deployment", "StatefulSet") else 0


def _limit(template: Any) -> int:
    (container,) = template["spec"]["containers"]
    return int(container.get("resources", {"limits": {}})["limits"].get("nvidia.com/gpu", 0))


@given(st.sampled_from(ENGINES), st.sampled_from(sorted(OTHER)))
def test_what_changes_the_plan_changes_what_the_server_is_told(engine: str, what: str) -> None:
    work = {"engine": engine, "precision": "fp8-block"}
    assert _told({"tp": 8}, work) != _told({"tp": 8}, work | {what: OTHER[what]})


@given(st.sampled_from(ENGINES), st.sampled_from(["tp", "dp", "pp", "ep"]))
def test_every_part_of_the_layout_reaches_the_server(engine: str, what: str) -> None:
    work = {"engine": engine, "precision": "fp8-block"}
    plain = {"tp": 4, "dp": 1, "pp": 1, "ep": 1}
    other = (
        {"tp": 8} if what == "tp" else {"dp": 4, "tp": 1} if what == "dp" else {"pp": 2} if what == "pp" else {"ep": 4}
    )
    assert _told(plain, work) != _told(plain | other, work)


def _told(layout: dict[str, int], work: Any) -> Any:
    (command,) = commands_of(launch("deepseek-v3", layout, work), catalog.engine_flags, experts=True)
    return command.words, command.options
