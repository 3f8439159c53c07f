"""What each engine is told, and what it is not asked for."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from myriad import catalog
from myriad.api import launch_files
from myriad.api.launch_serving import has_experts
from myriad.errors import SpecError
from myriad.launch.serving import Command, commands_of
from myriad.spec.serving_launch import ServingLaunch
from serving_deployments import EAGLE, MTP, launch, launches, trtllm_launches

RELEASES = [f"{engine}@{release}" for engine in ("vllm", "sglang") for release in catalog.launched_releases()[engine]]
TRTLLM = catalog.launched_releases()["tensorrt-llm"]
MOE = "deepseek-v3"
NO_ROUTER = {"router_image": None}


def commands(one: ServingLaunch, experts: bool = True) -> tuple[Command, ...]:
    return commands_of(one, catalog.engine_flags, experts)


def values(words: tuple[str, ...]) -> dict[str, str | None]:
    """Flag -> its value, `None` for a switch. No flag may stand twice."""
    found: dict[str, str | None] = {}
    for word, following in zip(words, (*words[1:], "--"), strict=True):
        if word.startswith("--"):
            assert word not in found, f"{word} stands twice"
            found[word] = None if following.startswith("--") else following
    return found


def told(engine: str, layout: dict[str, int], experts: bool = True, work: Any = None, **more: Any) -> Any:
    one = launch(MOE, layout, {"engine": engine, "precision": "fp8-block"} | (work or {}), **more)
    return values(commands(one, experts)[0].words)


@pytest.mark.parametrize("engine", RELEASES)
def test_every_deployment_is_rendered_with_flags_that_the_release_knows(engine: str) -> None:
    flags = catalog.engine_flags(*engine.split("@"))
    for name, one in launches(engine).items():
        for file in launch_files(one):
            assert file.text.endswith("\n"), (name, file.path)
        for command in commands(one, has_experts(one)):
            for words in filter(None, (command.words, command.other_words)):
                assert all(flags.named(flag) is not None for flag in values(words)), name


@pytest.mark.parametrize("release", TRTLLM)
def test_every_deployment_of_tensorrt_llm_is_rendered(release: str) -> None:
    found = trtllm_launches(release)
    assert len(found) > 20
    for one in found.values():
        assert {file.path for file in launch_files(one)} >= {"kubernetes.yaml"}


def test_vllm_counts_copies_apart_and_spreads_experts_over_all_ranks() -> None:
    found = told("vllm@0.18", {"tp": 2, "dp": 4, "ep": 8}, work={"max_sequences": 96, "max_batched_tokens": 4096})
    assert (found["--tensor-parallel-size"], found["--data-parallel-size"]) == ("2", "4")
    assert found["--enable-expert-parallel"] is None
    assert (found["--max-num-seqs"], found["--max-num-batched-tokens"]) == ("96", "4096")
    assert "--enable-expert-parallel" not in told("vllm@0.18", {"tp": 8})


def test_sglang_counts_all_ranks_and_the_limits_of_all_copies() -> None:
    found = told("sglang@0.5.11", {"tp": 2, "dp": 4, "ep": 8}, work={"max_sequences": 96, "max_batched_tokens": 4096})
    assert (found["--tensor-parallel-size"], found["--data-parallel-size"]) == ("8", "4")
    assert found["--expert-parallel-size"] == "8"
    assert "--enable-dp-attention" in found
    assert (found["--max-running-requests"], found["--chunked-prefill-size"]) == ("384", "16384")
    assert "--moe-dense-tp-size" not in found
    assert told("sglang@0.5.11", {"dp": 8, "ep": 8})["--moe-dense-tp-size"] == "1"


def test_sglang_runs_copies_of_a_dense_model_as_whole_servers() -> None:
    found = told("sglang@0.5.11", {"tp": 2, "dp": 4}, experts=False, work={"max_sequences": 96})
    assert (found["--tensor-parallel-size"], found["--data-parallel-size"]) == ("2", "4")
    assert found["--max-running-requests"] == "96"
    assert not {"--enable-dp-attention", "--expert-parallel-size"} & set(found)


@pytest.mark.parametrize("release", TRTLLM)
def test_tensorrt_llm_is_told_by_its_options_file(release: str) -> None:
    work = {"engine": f"tensorrt-llm@{release}", "precision": "nvfp4", "kv_precision": "fp8", "max_sequences": 64}
    one = launch(MOE, {"dp": 8, "ep": 4}, work | {"speculation": MTP}, server={"cuda_graphs": False})
    command = commands(one)[0]
    assert command.options is not None
    options = yaml.safe_load(command.options[1])
    assert options["tensor_parallel_size"] == 8
    assert options["enable_attention_dp"] is True
    assert (options["moe_expert_parallel_size"], options["moe_tensor_parallel_size"]) == (4, 2)
    assert options["kv_cache_config"]["dtype"] == "fp8"
    assert options["cuda_graph_config"] is None
    assert options["speculative_config"] == {"decoding_type": "MTP", "num_nextn_predict_layers": 1}
    limits = options["build_config"] if release == "1.0.0" else options
    assert limits["max_batch_size"] == 64
    assert values(command.words)["--extra_llm_api_options"] == "/etc/myriad/serve-options.yaml"


@pytest.mark.parametrize(
    ("precision", "told_of_it"),
    [
        ("bf16", {"--dtype": "bfloat16"}),
        ("fp16", {"--dtype": "float16"}),
        ("fp8", {}),
        ("fp8-block", {}),
        ("mxfp8", {}),
        ("nvfp4", {}),
        ("mxfp4", {}),
        ("int8-weights", {}),
        ("int4-weights", {}),
    ],
)
@pytest.mark.parametrize("engine", RELEASES)
def test_of_quantised_weights_the_checkpoint_tells(engine: str, precision: str, told_of_it: dict[str, str]) -> None:
    found = told(engine, {"tp": 8}, work={"precision": precision})
    assert {flag: found[flag] for flag in ("--dtype", "--quantization") if flag in found} == told_of_it


@pytest.mark.parametrize("engine", RELEASES)
def test_sixteen_bit_weights_are_turned_into_fp8_where_that_is_planned(engine: str) -> None:
    checkpoint = {"path": "/m", "precision": "bf16"}
    assert told(engine, {"tp": 8}, work={"precision": "fp8"}, checkpoint=checkpoint)["--quantization"] == "fp8"
    with pytest.raises(SpecError, match=r"checkpoint.precision: found 'bf16', .* 'nvfp4'"):
        told(engine, {"tp": 8}, work={"precision": "nvfp4"}, checkpoint=checkpoint)


@pytest.mark.parametrize("engine", RELEASES)
def test_speculation(engine: str) -> None:
    checkpoint = {"path": "/m", "draft": "/m-EAGLE3"}
    mtp = told(engine, {"tp": 8}, work={"speculation": MTP})
    eagle = told(engine, {"tp": 8}, work={"speculation": EAGLE}, checkpoint=checkpoint)
    if engine.startswith("vllm"):
        assert json.loads(mtp["--speculative-config"]) == {"method": "mtp", "num_speculative_tokens": 1}
        assert json.loads(eagle["--speculative-config"]) == {
            "method": "eagle3", "model": "/m-EAGLE3", "num_speculative_tokens": 3,
        }  # fmt: skip
    else:
        assert (mtp["--speculative-algorithm"], mtp["--speculative-num-draft-tokens"]) == ("EAGLE", "2")
        assert (eagle["--speculative-algorithm"], eagle["--speculative-num-steps"]) == ("EAGLE3", "3")
    with pytest.raises(SpecError, match=r"checkpoint.draft: missing"):
        told(engine, {"tp": 8}, work={"speculation": EAGLE})


def test_switches_of_the_server() -> None:
    server = {"prefix_caching": False, "chunked_prefill": False, "cuda_graphs": False, "max_context_tokens": 4096}
    vllm = told("vllm@0.18", {"tp": 8}, server=server)
    assert {"--no-enable-prefix-caching", "--no-enable-chunked-prefill", "--enforce-eager"} <= set(vllm)
    assert vllm["--max-model-len"] == "4096"
    sglang = told("sglang@0.5.11", {"tp": 8}, server=server)
    assert {"--disable-radix-cache", "--disable-cuda-graph"} <= set(sglang)
    assert (sglang["--chunked-prefill-size"], sglang["--context-length"]) == ("-1", "4096")


def test_a_replica_over_several_nodes_has_a_leader_and_followers() -> None:
    for engine in ("vllm@0.18", "sglang@0.5.11"):
        one = launch(MOE, {"dp": 16, "ep": 16}, {"engine": engine, "precision": "fp8-block"})
        (command,) = commands(one)
        leader, follower = values(command.words), values(command.other_words)
        assert command.nodes == 2
        assert (leader["--node-rank"], follower["--node-rank"]) == ("0", "{NODE_RANK}")
        assert set(follower) - set(leader) == ({"--headless"} if engine.startswith("vllm") else set())


@pytest.mark.parametrize("engine", ["vllm@0.18", "sglang@0.5.11", "tensorrt-llm@1.2"])
def test_prefill_and_decode_are_joined_by_a_router(engine: str) -> None:
    one = launch(MOE, {"tp": 8}, {"engine": engine, "precision": "fp8-block"}, prefill={"tp": 4}, count=3)
    files = {file.path: file.text for file in launch_files(one)}
    router = files.get("router-options.yaml", files["route.sh"])
    for role, count in (("prefill", 2), ("decode", 3)):
        assert router.count(f".{MOE}-{role}:8000") == count
        assert all(f"{MOE}-{role}-{index}.{MOE}-{role}:8000" in router for index in range(count))


def test_scripts_are_shell() -> None:
    for engine in ("vllm@0.18", "sglang@0.5.11"):
        for name in ("deepseek-v3-split", "mimo-v2-flash-split", "llama3-70b-eagle3"):
            for file in launch_files(launches(engine)[name]):
                if file.path.endswith(".sh"):
                    done = subprocess.run(["sh", "-n"], input=file.text, text=True, capture_output=True, check=False)
                    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("layout", "work", "more", "said"),
    [
        ({"tp": 8, "ep": 4}, {"engine": "vllm@0.18"}, {}, "layout.ep: found 4; vllm spreads experts over all 8 ranks"),
        ({"tp": 8}, {"engine": "vllm@0.17"}, {}, "the flags of vllm 0.17 are not known; did you mean '0.18.0'"),
        ({"tp": 8}, {"engine": "vlm"}, {}, "unknown serving engine 'vlm'; did you mean 'vllm'"),
        ({"tp": 8}, {"engine": "vllm-router"}, {}, "unknown serving engine 'vllm-router'"),
        ({"tp": 8}, {"kv_precision": "int4"}, {}, "work.kv_precision: vllm@0.33.0 has no cache in int4"),
        ({"tp": 4, "dp": 3}, {}, {}, "layout TP4 DP3: 12 accelerators lie 6 to a node"),
        ({"tp": 8}, {"engine": "vllm"}, {"prefill": {"tp": 8}, "cluster": NO_ROUTER}, "cluster.router_image"),
        ({"tp": 16}, {"engine": "trtllm"}, {}, "trtllm-serve spans nodes under MPI only"),
        ({"tp": 2, "dp": 2}, {"engine": "trtllm"}, {}, "with dp > 1 it needs tp=1"),
        ({"tp": 8}, {"engine": "trtllm", "speculation": EAGLE}, {}, "only the options of 'mtp' are known"),
        ({"tp": 8, "ep": 4}, {"engine": "sglang"}, {"server": {"expert_dispatch": "deepep"}}, "with DeepEP sglang"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_refused(layout: Any, work: Any, more: Any, said: str) -> None:
    with pytest.raises(SpecError, match=re.escape(said)):
        launch_files(launch(MOE, layout, {"engine": "vllm", "precision": "fp8-block"} | work, **more))


def test_experts_of_a_dense_model_are_refused() -> None:
    one = launch("llama3-70b", {"tp": 8, "ep": 8}, {"engine": "vllm", "precision": "bf16"})
    with pytest.raises(SpecError, match=r"layout.ep: found 8, but llama3-70b has no experts to spread"):
        launch_files(one)


def test_prefill_and_decode_have_one_engine_and_one_cache() -> None:
    one = launch(MOE, {"tp": 8}, {"engine": "vllm", "precision": "fp8-block"}, prefill={"tp": 8})
    assert one.deployment.prefill is not None
    for change in ({"engine": "sglang"}, {"kv_precision": "fp8"}):
        work = one.deployment.prefill.work.model_copy(update=change)
        prefill = one.deployment.prefill.model_copy(update={"work": work})
        changed = one.model_copy(update={"deployment": one.deployment.model_copy(update={"prefill": prefill})})
        with pytest.raises(SpecError, match=rf"deployment.prefill.work.{next(iter(change))}: found"):
            launch_files(changed)
