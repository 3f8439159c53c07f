"""What frameworks are told of a planned job, and what they are not asked for."""

from __future__ import annotations

import ast
import json
import subprocess
import tomllib
from typing import Any

import pytest

from myriad import catalog
from myriad.errors import SpecError
from myriad.launch.training.frameworks import framework_files, framework_notes, framework_of
from myriad.spec.trainer import TrainerConfig
from myriad.spec.training_launch import TrainingLaunch
from training_launches import FLAGSHIP, FLAGSHIP_DIFFERENCES, TITAN_DIFFERENCES, launch, launches, titan_launches

SMALL: dict[str, Any] = {"global_batch": 8, "gpus_per_node": 2}


def files_of(one: TrainingLaunch) -> dict[str, str]:
    return {file.path: file.text for file in framework_files(one, catalog.engine_flags)}


def words_of(script: str) -> list[str]:
    return script.partition("exec ")[2].replace("\\\n", " ").split()


def tables_of(script: str) -> dict[str, Any]:
    """The values of a script of Megatron-Bridge by name."""
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(script).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


@pytest.mark.parametrize("framework", ["megatron-lm", "megatron-bridge"])
@pytest.mark.parametrize("name", launches("megatron-lm"))
def test_every_megatron_job_is_rendered(framework: str, name: str) -> None:
    files = files_of(launches(framework)[name])
    subprocess.run(["sh", "-n"], input=files["start.sh"], text=True, check=True, timeout=10)
    if framework == "megatron-bridge":
        ast.parse(files["pretrain.py"])


@pytest.mark.parametrize("name", titan_launches("torchtitan"))
def test_every_torchtitan_job_is_rendered(name: str) -> None:
    files = files_of(titan_launches("torchtitan")[name])
    subprocess.run(["sh", "-n"], input=files["start.sh"], text=True, check=True, timeout=10)
    ast.parse(files["myriad_flavor.py"])
    assert tomllib.loads(files["torchtitan.toml"])["experimental"]["custom_import"] == "myriad_flavor"


def test_the_reference_trainer_gets_the_job_as_it_is() -> None:
    one = launch("qwen3-0.6b", {"dp": 2}, framework="reference", device="cpu", **SMALL)
    config = TrainerConfig.model_validate_json(files_of(one)["trainer.json"])
    assert (config.model, config.layout, config.steps) == (one.model, one.layout, one.steps)
    assert (config.global_batch, config.seq_len) == (one.work.global_batch, one.work.seq_len)
    assert (config.device, config.checkpoint.interval) == ("cpu", one.checkpoint_interval_s)


def test_the_framework_is_that_of_the_software_unless_named() -> None:
    one = launch("llama3-8b", {"dp": 8}, global_batch=8)
    assert framework_of(one).text == "megatron-lm"
    assert framework_of(launch("llama3-8b", {"dp": 8}, global_batch=8, stack="nemo")).text == "megatron-bridge"
    named = launch("llama3-8b", {"dp": 8}, global_batch=8, framework="torchtitan@0.2")
    assert framework_of(named).text == "torchtitan@0.2"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"framework": "megatronlm"}, "launch.framework: unknown framework 'megatronlm'; did you mean 'megatron-lm'"),
        ({"stack": "maxtext"}, "launch.framework: missing; 'maxtext' is not started by myriad"),
        ({"framework": "megatron-lm@0.9"}, "the flags of megatron-lm 0.9 are not known"),
        ({"framework": "deepspeed"}, "launch.script: missing"),
        ({"framework": "reference", "precision": "fp8"}, "precision: found 'fp8'"),
        ({"framework": "torchtitan"}, "layout.zero: torchtitan cannot run"),
        ({"framework": "megatron-lm", "precision": "fp8-row"}, "precision: Megatron-Core has no recipe"),
        ({"nodes": 3}, "has 8 ranks, but 3 nodes of 8 hold 24"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(more: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        files_of(launch("llama3-8b", {"dp": 8}, global_batch=8, **more))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_architecture_is_trained_only_when_accepted() -> None:
    how: dict[str, Any] = {"global_batch": 16384, "framework": "megatron-lm", "mtp_depths": 1}
    with pytest.raises(SpecError, match=r"accept launch.differences: \[value-width, sinks, prediction-block\]"):
        files_of(launch("mimo-v2-pro", FLAGSHIP, **how))
    one = launch("mimo-v2-pro", FLAGSHIP, how={"differences": FLAGSHIP_DIFFERENCES}, **how)
    notes = framework_notes(one, catalog.engine_flags)
    assert "megatron-lm@0.16.1: attention has no sinks" in notes
    assert all(f"# Note: {note}\n" in files_of(one)["start.sh"] for note in notes)


def test_a_model_without_a_layer_to_train_is_refused() -> None:
    with pytest.raises(SpecError, match="has no layer with mamba2"):
        files_of(launch("nemotron-3-nano", {"dp": 8}, global_batch=8, framework="megatron-lm"))


def test_stages_hold_the_layers_of_the_split() -> None:
    words = words_of(files_of(launches("megatron-lm")["llama3.1-405b-split"])["start.sh"])
    stages = words[words.index("--pipeline-model-parallel-layout") + 1].strip("'")
    assert stages == "Et*7|" + "|".join(["t*8"] * 14) + "|t*7L"
    one = titan_launches("torchtitan")["deepseek-v3"]
    chunks = tomllib.loads(files_of(one)["torchtitan.toml"])["parallelism"]["module_fqns_per_model_part"]
    assert [sum(name.startswith("layers") for name in chunk) for chunk in chunks] == [3, *[4] * 14, 2]


def test_experts_that_cannot_be_sharded_are_refused() -> None:
    how: dict[str, Any] = {"global_batch": 16400, "framework": "torchtitan", "how": {"differences": TITAN_DIFFERENCES}}
    with pytest.raises(SpecError, match="24 experts of a rank are fewer than the 25 ranks"):
        files_of(launch("mimo-v2-pro", FLAGSHIP | {"dp": 200, "zero": 3}, **how))
    assert files_of(launch("mimo-v2-pro", FLAGSHIP | {"dp": 200, "zero": 3, "shard": 80}, **how))


def test_the_rank_that_knows_the_loss_is_shown() -> None:
    script = files_of(titan_launches("torchtitan")["mimo-v2-pro"])["start.sh"]
    assert "rank 6144 is shown" in script  # torchtitan asks for it by this number itself
    assert 'if [ "$NODE_RANK" -eq 768 ]; then' in script


def test_what_the_user_sets_goes_before_the_plan() -> None:
    one = launch(
        "llama3-8b", {"dp": 8}, global_batch=8, framework="megatron-lm",
        how={"environment": {"NCCL_DEBUG": "INFO $x"}, "arguments": ["--seed", "7"]},
    )  # fmt: skip
    script = files_of(one)["start.sh"]
    assert "export NCCL_DEBUG='INFO $x'\n" in script
    assert words_of(script)[-2:] == ["--seed", "7"]


def test_an_interval_in_seconds_becomes_steps() -> None:
    def interval(seconds: float | None) -> str:
        one = launch("llama3-8b", {"dp": 8}, global_batch=8, framework="megatron-lm", checkpoint_interval_s=seconds)
        words = words_of(files_of(one)["start.sh"])
        return words[words.index("--save-interval") + 1]

    assert interval(600.0) == "60"  # at 10 s a step
    assert interval(1.0) == "1"
    assert interval(None) == "180"


def test_without_known_failures_the_interval_is_said_to_be_assumed() -> None:
    one = launch("llama3-8b", {"dp": 8}, global_batch=8, framework="megatron-lm", checkpoint_interval_s=None)
    assert "a checkpoint every 1800 s is assumed" in files_of(one)["start.sh"]


def test_nodes_are_as_many_as_the_layout_needs(tmp_path: Any) -> None:
    one = launch("llama3-8b", {"dp": 16}, global_batch=16, framework="megatron-lm")
    (tmp_path / "start.sh").write_text(files_of(one)["start.sh"])
    environment = {"NODE_RANK": "0", "NNODES": "3", "MASTER_ADDR": "a", "MASTER_PORT": "1", "MYRIAD_SUBMISSION": "0"}
    done = subprocess.run(
        ["/bin/sh", tmp_path / "start.sh"],
        env=environment | {"MYRIAD_RUN_FOLDER": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "start.sh: NNODES is 3, this layout needs 2\n"


def test_deepspeed_gets_the_batch_as_planned() -> None:
    how = {"script": "/code/train.py"}
    one = launch("llama3-8b", {"dp": 64, "micro_batch": 2}, global_batch=512, framework="deepspeed", how=how)
    config = json.loads(files_of(one)["ds_config.json"])
    assert config["train_batch_size"] == 512
    assert config["train_micro_batch_size_per_gpu"] * config["gradient_accumulation_steps"] * 64 == 512
    with pytest.raises(SpecError, match=r"data parallelism \(ZeRO\) alone"):
        files_of(launch("llama3-8b", {"tp": 8, "dp": 8}, global_batch=8, framework="deepspeed", how=how))


@pytest.mark.parametrize("framework", ["megatron-lm", "megatron-bridge"])
def test_graphs_come_with_what_megatron_needs_for_them(framework: str) -> None:
    files = files_of(launches(framework)["llama3-70b-one-graph"])
    # Its classes refuse graphs beside expandable segments and without a generator that can be captured, and a look at
    # the loss within the graph.
    assert "export NCCL_GRAPH_REGISTER=0\n" in files["start.sh"]
    if framework == "megatron-lm":
        assert {"--te-rng-tracker", "--no-check-for-nan-in-loss-and-grad"} <= set(words_of(files["start.sh"]))
    else:
        tables = tables_of(files["pretrain.py"])
        assert tables["MODEL"]["use_te_rng_tracker"] is True
        assert tables["RERUN_STATE_MACHINE"] == {"check_for_nan_in_loss": False}
        assert "rerun_state_machine=RerunStateMachineConfig(**RERUN_STATE_MACHINE)" in files["pretrain.py"]
    plain = files_of(launches(framework)["llama3-70b"])
    assert "NCCL_GRAPH_REGISTER" not in plain["start.sh"]
    assert "rerun_state_machine" not in plain.get("pretrain.py", "")


@pytest.mark.parametrize(
    ("switch", "layout", "said"),
    [
        ("overlap-experts", {"pp": 2, "dp": 8}, "needs several chunks on each stage"),
        ("overlap-experts", {"dp": 16, "recompute": "full"}, "needs layers that are not recomputed whole"),
        ("overlap-tensor", {"tp": 2, "dp": 8, "sp": False, "ep": 1}, "needs sequence parallelism"),
        ("graph-mixers", {"dp": 16, "recompute": "full"}, "needs layers that are not recomputed whole"),
        ("graph-routers", {"dp": 16, "recompute": "moe"}, "needs routers that are not recomputed"),
    ],
)
def test_a_switch_that_megatron_refuses_beside_the_layout_is_refused(
    switch: str, layout: dict[str, Any], said: str
) -> None:
    model = "llama3-8b" if layout.get("ep") == 1 else "qwen3-30b-a3b"
    one = launch(model, {"ep": 8} | layout, global_batch=64, framework="megatron-lm", work={"switches": [switch]})
    with pytest.raises(SpecError, match=f"switches: {switch} of Megatron-Core {said}"):
        files_of(one)
    assert files_of(one.model_copy(update={"work": one.work.model_copy(update={"switches": ()})}))


@pytest.mark.parametrize(
    ("model", "layout", "work", "said"),
    [
        ("qwen3-30b-a3b", {"ep": 8, "pp": 2, "dp": 8}, {"precision": "fp8"}, "precision: in torchtitan fp8 of experts"),
        ("qwen3-30b-a3b", {"ep": 8, "cp": 2, "dp": 8}, {"precision": "fp8"}, "precision: in torchtitan fp8 of experts"),
        ("llama3-8b", {"tp": 2, "dp": 8}, {"precision": "mxfp8", "switches": ["compile"]}, "compiled needs tp 1"),
        ("llama3-8b", {"tp": 2, "dp": 8}, {"switches": ["overlap-tensor"]}, "overlap-tensor needs compile"),
        ("qwen3-30b-a3b", {"ep": 8, "dp": 16}, {"switches": ["dispatch-once"]}, "dispatch-once needs multi-latent"),
    ],
)
def test_what_torchtitan_stops_at_when_it_starts_is_refused(
    model: str, layout: dict[str, Any], work: dict[str, Any], said: str
) -> None:
    how: dict[str, Any] = {"global_batch": 64, "framework": "torchtitan"}
    with pytest.raises(SpecError, match=said):
        files_of(launch(model, layout | {"zero": 3}, work=work, **how))
    assert files_of(launch(model, layout | {"zero": 3}, **how))


def test_logits_and_routers_stay_in_16_bits() -> None:
    one = launch(
        "qwen3-30b-a3b", {"ep": 8, "dp": 16, "zero": 3}, global_batch=64, framework="torchtitan", precision="fp8"
    )
    table = tomllib.loads(files_of(one)["torchtitan.toml"])
    assert table["model"]["converters"] == ["quantize.linear.float8", "quantize.grouped_mm.float8"]
    assert table["quantize"]["linear"]["float8"]["filter_fqns"] == ["output", "router.gate"]


@pytest.mark.parametrize(
    ("framework", "work", "said"),
    [
        ("torchtitan", {"switches": ["graph-mixers"]}, "switches: torchtitan is not started with graph-mixers"),
        ("megatron-lm", {"switches": ["compile"]}, "switches: megatron-lm is not started with compile"),
        ("reference", {"switches": ["compile"]}, "switches: reference is not started with compile"),
        ("torchtitan", {"optimizer": {"moment_bytes": 4}}, "optimizer.moment_bytes: found 4; torchtitan keeps both"),
        ("deepspeed", {"optimizer": {"name": "muon"}}, "optimizer.name: found 'muon'; jobs are started with adam"),
    ],
)
def test_what_the_plan_counts_with_and_the_framework_is_not_started_with_is_refused(
    framework: str, work: dict[str, Any], said: str
) -> None:
    how: dict[str, Any] = {"framework": framework, "how": {"script": "/code/train.py"}}
    with pytest.raises(SpecError, match=said):
        files_of(launch("llama3-8b", {"dp": 8, "zero": 3}, global_batch=8, work=work, **how))


def test_switches_that_only_describe_or_have_nothing_to_turn_on_change_nothing() -> None:
    how: dict[str, Any] = {"global_batch": 8, "framework": "torchtitan"}
    idle = {"switches": ["portable-attention", "overlap-tensor", "overlap-experts"]}
    layout = {"dp": 8, "zero": 3}
    assert files_of(launch("llama3-8b", layout, work=idle, **how)) == files_of(launch("llama3-8b", layout, **how))


def test_stages_are_filled_in_turn_where_the_job_says_so() -> None:
    one = launch(
        "llama3.1-405b", {"tp": 8, "pp": 16, "dp": 4}, global_batch=64, framework="megatron-lm",
        work={"switches": ["count-layers"]},
    )  # fmt: skip
    words = words_of(files_of(one)["start.sh"])
    stages = words[words.index("--pipeline-model-parallel-layout") + 1].strip("'")
    assert stages == "E" + "|".join(["t*8"] * 15) + "|t*6L"


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", "0"), ("tf32", "1"), ("bf16", None)])
def test_products_of_fp32_are_as_planned(precision: str, allowed: str | None) -> None:
    one = launch("llama3-8b", {"dp": 8, "zero": 3}, global_batch=8, framework="torchtitan", precision=precision)
    said = [line for line in files_of(one)["start.sh"].splitlines() if "TF32" in line]
    assert said == ([] if allowed is None else [f"export TORCH_ALLOW_TF32_CUBLAS_OVERRIDE={allowed}"])


def test_frameworks_that_need_a_gpu_are_refused_on_processors() -> None:
    with pytest.raises(SpecError, match="torchtitan trains on GPUs alone"):
        files_of(launch("qwen3-0.6b", {"dp": 2, "zero": 3}, framework="torchtitan", device="cpu", **SMALL))


def test_data_is_named_with_weights_and_spaces() -> None:
    how = {"data": "0.3 '/data/a b' 0.7 /data/c", "tokenizer": "/data/tokenizer"}
    words = files_of(launch("llama3-8b", {"dp": 8}, global_batch=8, framework="megatron-lm", how=how))["start.sh"]
    assert "--data-path 0.3 '/data/a b' 0.7 /data/c \\\n" in words
    script = files_of(launch("llama3-8b", {"dp": 8}, global_batch=8, framework="megatron-bridge", how=how))[
        "pretrain.py"
    ]
    ast.parse(script)
    assert "blend=get_blend_from_list(['0.3', '/data/a b', '0.7', '/data/c'])" in script


def test_gradients_of_16_bits_are_asked_for() -> None:
    work = {"optimizer": {"gradient_bytes": 2}}
    words = words_of(
        files_of(launch("llama3-8b", {"dp": 8}, global_batch=8, framework="megatron-lm", work=work))["start.sh"]
    )
    assert "--grad-reduce-in-bf16" in words
    assert "--accumulate-allreduce-grads-in-fp32" not in words


def test_megatron_bridge_is_told_what_megatron_lm_does_by_itself() -> None:
    tables = tables_of(files_of(launches("megatron-bridge")["llama3-70b-fp8"])["pretrain.py"])
    model = tables["MODEL"]
    assert model["should_pad_vocab"] and model["bias_activation_fusion"] and model["apply_rope_fusion"]  # noqa: PT018
    assert "overlap_p2p_comm" not in model
    assert tables["OPTIMIZER"]["fp8_recipe"] == model["fp8_recipe"]
    interleaved = tables_of(files_of(launches("megatron-bridge")["llama3-70b"])["pretrain.py"])["MODEL"]
    assert (interleaved["overlap_p2p_comm"], interleaved["batch_p2p_comm"]) == (True, False)


def test_what_a_framework_does_not_read_is_said() -> None:
    how = {"data": "/data/text", "tokenizer": "/data/tokenizer", "script": "/code/train.py"}
    reference = launch("qwen3-0.6b", {"dp": 2}, framework="reference", how=how, **SMALL)
    assert framework_notes(reference, catalog.engine_flags) == (
        "launch.tokenizer is not read: bytes of launch.data are tokens",
    )
    script = files_of(launch("llama3-8b", {"dp": 8}, global_batch=8, framework="deepspeed", how=how))["start.sh"]
    assert "export MYRIAD_DATA=/data/text\nexport MYRIAD_TOKENIZER=/data/tokenizer\n" in script
