from __future__ import annotations

from collections import Counter

import pytest

from myriad.spec.serving import ServingLayout, Speculation
from myriad.validate.errors import SkipError
from myriad.validate.serving_cases import case_of
from myriad.validate.serving_conventions import newest_not_newer
from myriad.validate.serving_layouts import sizes_of
from myriad.validate.serving_rows import ServingRow, shipped_serving_rows


def row(**changes: object) -> ServingRow:
    given = {
        "id": "a-1",
        "source": "Me",
        "model": "llama3-8b",
        "accelerator": "h100-sxm",
        "num_gpus": 8,
        "precision": "bf16",
        "engine": "vllm 0.12.0",
        "parallelism": "tp8 pp1",
        "input_length": "1024",
        "output_length": "512",
        "load": "16",
        "ttft_s": 0.2,
        "tpot_s": 0.01,
        "mode": "closed-loop concurrency",
    }
    return ServingRow.model_validate({**given, **changes})


def inferencex(**changes: object) -> ServingRow:
    given = {
        "source": "InferenceX (InferenceMAX) run",
        "model": "deepseek-ai/DeepSeek-R1",
        "accelerator": "B200-180GB",
        "precision": "fp4 (gemm nvfp4, moe nvfp4)",
        "engine": "sglang 0.5.9 lmsysorg/sglang:v0.5.9-cu130",
    }
    return row(**{**given, **changes})


def reason(one: ServingRow) -> str:
    with pytest.raises(SkipError) as found:
        case_of(one)
    return str(found.value)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("tp8 pp1 attn-dp1 moe-tp8 ep1 aggregated", (8, 1, 1, 1, 8)),
        ("attention-dp4 ep4 pp1 aggregated", (0, 1, 4, 4, 0)),
        ("tp1 pp4 aggregated", (1, 4, 0, 0, 0)),
        ("16-GPU deployment tp16 dp2 ep16 DeepEP; prefill", (16, 0, 2, 16, 0)),
        ("TP=4, EP=2", (4, 0, 0, 2, 0)),
    ],
)
def test_sizes_in_the_words_of_publishers(text, sizes):
    found = sizes_of(text)
    assert (found.tp, found.pp, found.dp, found.ep, found.moe_tp) == sizes


def test_gpus_beyond_a_replica_are_further_replicas():
    case = case_of(row(parallelism="tp2"))
    assert case.deployment.replicas.layout == ServingLayout(tp=2)
    assert case.deployment.replicas.count == 4
    assert case.deployment.gpus == case.cluster.num_accelerators == 8


def test_the_count_of_gpus_may_be_left_out_but_not_contradict_the_layout():
    assert case_of(row(num_gpus=None)).deployment.gpus == 8
    assert "gpus is no multiple" in reason(row(num_gpus=12))
    assert "ep does not divide" in reason(row(model="gpt-oss-120b", parallelism="tp8 ep3"))
    assert "moe-tp x ep is not tp x dp" in reason(row(model="gpt-oss-120b", parallelism="tp8 moe-tp8 ep8"))
    assert "tp does not divide the attention heads" in reason(row(parallelism="tp12", num_gpus=12))


def test_a_dense_model_has_no_expert_ranks():
    assert case_of(row(parallelism="tp8 pp1 attn-dp1 moe-tp0 ep0 aggregated")).deployment.replicas.layout.ep == 1
    assert case_of(row(parallelism="tp8 pp1 attn-dp1 moe-tp1 ep1 aggregated")).deployment.replicas.layout.ep == 1


@pytest.mark.parametrize(
    ("multiplied", "as_run"),
    [
        ("tp64 pp1 attn-dp1 moe-tp8 ep8 aggregated", "tp8 pp1 attn-dp1 moe-tp1 ep8 aggregated"),
        ("tp1 pp1 attn-dp64 moe-tp8 ep8 aggregated", "tp1 pp1 attn-dp8 moe-tp1 ep8 aggregated"),
    ],
)
def test_inferencex_tables_that_multiply_ranks_by_ep_mean_the_same_run(multiplied, as_run):
    wide = case_of(inferencex(parallelism=multiplied, num_gpus=64))
    plain = case_of(inferencex(parallelism=as_run, num_gpus=8))
    assert wide.deployment == plain.deployment
    assert wide.measured == plain.measured
    assert any("ranks divided by ep=8" in note for note in wide.assumed)


def test_sizes_of_other_publishers_are_taken_as_printed():
    printed = "tp16 pp1 attn-dp1 moe-tp4 ep4 aggregated"
    layout = case_of(inferencex(source="Me", parallelism=printed, num_gpus=16)).deployment.replicas.layout
    assert (layout.tp, layout.ep, layout.moe_tp) == (16, 4, 4)


def test_disaggregated_replicas_are_counted_apart():
    text = "disaggregated prefill 1x(tp1 dp4 ep4) decode 5x(tp8 dp1 ep8)"
    deployment = case_of(inferencex(parallelism=text, num_gpus=44)).deployment
    assert deployment.prefill is not None
    assert (deployment.prefill.count, deployment.prefill.layout) == (1, ServingLayout(dp=4, ep=4))
    assert (deployment.replicas.count, deployment.replicas.layout) == (5, ServingLayout(tp=8, ep=8))
    assert deployment.gpus == 44
    assert "not the sum over its replicas" in reason(inferencex(parallelism=text, num_gpus=48))
    assert "how many replicas" in reason(inferencex(parallelism=text.replace("5x", "?x"), num_gpus=None))


def test_a_rack_that_names_all_its_gpus_as_tensor_parallel_is_not_taken_at_its_word():
    one = inferencex(accelerator="GB200-NVL72", parallelism="tp36 pp1 attn-dp1 moe-tp36 ep1 aggregated", num_gpus=36)
    assert "how many GPUs there are in all" in reason(one)


def test_throughput_of_a_closed_loop_follows_from_its_latencies():
    measured = case_of(row()).measured
    assert measured.tokens_per_s_per_gpu == pytest.approx(16 * 512 / (0.2 + 511 * 0.01) / 8)
    assert measured.throughput_from == "load and latencies"
    printed = case_of(row(output_tokens_per_s_per_gpu=150.0)).measured
    assert (printed.tokens_per_s_per_gpu, printed.throughput_from) == (150.0, "output tokens/s")
    total = case_of(row(total_tokens_per_s_per_gpu=300.0)).measured
    assert total.tokens_per_s_per_gpu == pytest.approx(100.0)


def test_a_rate_beyond_the_accelerator_is_that_of_more_replicas_than_stated():
    one = row(num_gpus=1, parallelism="tp1", input_length="15000", output_length="500", load="448", tpot_s=0.01)
    assert "more FLOP/s than its GPUs have" in reason(one)
    assert case_of(one.model_copy(update={"load": "4"})).concurrency == 4


def test_where_the_batch_stands_for_the_load_only_time_per_token_is_judged():
    measured = case_of(row(notes="concurrency not stated, batch_size used")).measured
    assert (measured.ttft_s, measured.tpot_s, measured.tokens_per_s_per_gpu) == (None, 0.01, None)


def test_offline_runs_have_no_bound_on_requests():
    offline = {"mode": "offline-throughput", "load": "max load (all requests queued)", "ttft_s": None, "tpot_s": None}
    case = case_of(row(**offline, output_tokens_per_s_per_gpu=1000.0))
    assert (case.mode, case.concurrency, case.measured.tpot_s) == ("offline", None, None)
    assert "neither latency nor throughput" in reason(row(**offline))


def test_phases_alone():
    layout = "16-GPU deployment tp16 dp2 ep16 DeepEP; "
    one = {"model": "MiMo-V2.5-Pro", "accelerator": "h200-sxm", "precision": "FP8", "mode": "phase-isolated throughput"}
    prefill = case_of(row(**one, parallelism=layout + "prefill", load="saturated", total_tokens_per_s_per_gpu=3831.0))
    assert (prefill.mode, prefill.measured.tokens_per_s_per_gpu) == ("prefill", 3831.0)
    assert prefill.deployment.replicas.layout == ServingLayout(tp=8, dp=2, ep=16)
    text = layout + "decode, MTP accept length 3"
    decode = case_of(row(**one, parallelism=text, load="batch 64 per DP rank"))
    assert (decode.mode, decode.concurrency) == ("decode", 128)
    speculation = decode.deployment.replicas.work.speculation
    assert speculation == Speculation(method="mtp", draft_tokens=3, accepted_tokens=3.0)
    assert "does not say which" in reason(row(**one, parallelism="tp8"))


def test_lengths_that_are_drawn():
    assert case_of(row()).requests.input_tokens == 1024
    drawn = case_of(inferencex(parallelism="tp8", input_length="8192", output_length="1024"))
    assert (drawn.requests.input_tokens, drawn.requests.output_tokens, drawn.varied_lengths) == (7373, 922, True)
    note = "prompts/outputs average about 200-302 in / 196-280 out in the printed result"
    printed = case_of(row(input_length="1024 (random)", output_length="1024 (random)", notes=note))
    assert (printed.requests.input_tokens, printed.requests.output_tokens) == (251, 238)


@pytest.mark.parametrize(
    ("changes", "dense", "experts", "attention"),
    [
        ({"precision": ""}, "bf16", "bf16", "bf16"),
        ({"precision": "(gemm , moe )", "model": "Qwen/Qwen3-32B-FP8"}, "fp8-block", "fp8-block", "fp8-block"),
        ({"precision": "bf16 (gemm , moe )"}, "bf16", "bf16", "bf16"),
        ({"precision": "fp8 (gemm fp8, moe fp8)"}, "fp8", "fp8", "fp8"),
        ({"precision": "FP8", "model": "Qwen3-235B-A22B"}, "fp8", "fp8", "fp8"),
        ({"precision": "fp8", "model": "DeepSeek-R1"}, "fp8-block", "fp8-block", "fp8-block"),
        ({"precision": "fp8 (gemm fp8, moe fp8_block)", "model": "Qwen3.5-397B-A17B"}, *3 * ("fp8-block",)),
        ({"precision": "FP4"}, "nvfp4", "nvfp4", "nvfp4"),
        ({"precision": "FP4", "model": "nvidia/DeepSeek-R1-NVFP4"}, "nvfp4", "nvfp4", "bf16"),
        ({"precision": "fp4", "accelerator": "mi355x"}, "mxfp4", "mxfp4", "mxfp4"),
        ({"precision": "FP8", "model": "openai/gpt-oss-120b"}, "bf16", "mxfp4", "bf16"),
        ({"precision": "int4_wo"}, "int4-weights", "int4-weights", "int4-weights"),
    ],
)
def test_precisions_of_checkpoints(changes, dense, experts, attention):
    work = case_of(row(**changes)).deployment.replicas.work
    assert (work.precision, work.expert_precision, work.attention_precision) == (dense, experts, attention)


def test_an_unknown_precision_is_a_reason():
    assert reason(row(precision="fp6")) == "the precision 'fp6' is not known"


@pytest.mark.parametrize(
    ("changes", "cache"),
    [
        ({"precision": "fp8"}, "bf16"),
        ({"precision": "fp8", "engine": "TensorRT-LLM 1.0 (PyTorch backend)"}, "fp8"),
        ({"precision": "bf16", "engine": "trtllm"}, "bf16"),
        ({"precision": "fp8", "notes": "--kv-cache-dtype fp8"}, "fp8"),
        ({"precision": "fp8", "source": "InferenceX run"}, "bf16"),
        ({"precision": "fp8", "source": "InferenceX run", "accelerator": "b200-sxm"}, "fp8"),
    ],
)
def test_precision_of_the_cache(changes, cache):
    assert case_of(row(**changes)).deployment.replicas.work.kv_precision == cache


@pytest.mark.parametrize(
    ("text", "engine", "release"),
    [
        ("vllm 0.18.0 vllm/vllm-openai:v0.18.0", "vllm", "0.18.0"),
        ("SGLang 0.5.11", "sglang", "0.5.11"),
        ("sglang nightly-dev-20260402-d7256eb6", "sglang", ""),
        ("TensorRT-LLM 1.0 (PyTorch backend, trtllm-bench throughput)", "trtllm", "1.0"),
        ("trtllm 1.2.0rc6.post3 nvcr.io#nvidia/tensorrt-llm/release:1.2.0rc6.post3", "trtllm", "1.2.0rc6.post3"),
        ("trtllm 0.8.0 nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime:0.8.0", "trtllm", "1.2.0rc6.post1"),
        ("trtllm 0.21.0", "trtllm", "0.21.0"),
    ],
)
def test_engines_and_releases(text, engine, release):
    case = case_of(row(engine=text))
    assert (case.deployment.replicas.work.software, case.release) == (engine, release)


def test_a_release_that_the_catalog_lacks_is_the_newest_before_it():
    known = ["0.18.0", "1.0", "1.2.0rc6", "1.2.0rc6.post2", "1.2"]
    newest = {release: newest_not_newer(release, known) for release in ("0.9.1", "1.0.0", "1.2.0rc6.post3", "1.3.0rc1")}
    assert newest == {"0.9.1": "", "1.0.0": "1.0", "1.2.0rc6.post3": "1.2.0rc6.post2", "1.3.0rc1": "1.2"}
    assert newest_not_newer("", known) == ""


def test_an_engine_that_is_not_stated_is_a_reason():
    assert reason(row(engine="")) == "the serving engine is not stated"
    assert reason(row(engine="somebody's own 0.9.1")) == "the catalog lacks the serving engine somebody's"


def test_speculation_is_what_the_row_says_else_what_the_recipe_does():
    r1 = {"parallelism": "tp8", "engine": "trtllm 1.2.0rc6.post3"}
    assert case_of(inferencex(**r1, date="2026-02-06")).deployment.replicas.work.speculation is not None
    assert case_of(inferencex(**r1, date="2026-02-06", speculation="none")).deployment.replicas.work.speculation is None
    assert case_of(row(**r1, date="2026-02-06")).deployment.replicas.work.speculation is None
    eagle = case_of(row(speculation="eagle")).deployment.replicas.work.speculation
    assert eagle is not None
    assert eagle.method == "eagle"
    assert case_of(row(parallelism="tp8, no EAGLE")).deployment.replicas.work.speculation is None
    assert case_of(row(notes="speculative decoding on")).deployment.replicas.work.speculation is not None


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"quality": "suspect"}, "quality is suspect, not primary"),
        ({"model": "no/Such-Model-7B-Instruct"}, "the catalog lacks the model no/Such-Model-7B-Instruct"),
        ({"accelerator": "B9000-1TB"}, "the catalog lacks the accelerator B9000-1TB"),
        ({"accelerator": "Hopper (model undisclosed)"}, "the accelerator is not disclosed"),
        ({"load": "2 requests/s"}, "the load is not stated as a count of requests at once"),
        ({"load": ""}, "the load is not stated as a count of requests at once"),
        ({"input_length": ""}, "the lengths of prompt and output are not stated"),
        ({"parallelism": "aggregated"}, "the layout is not stated"),
        ({"parallelism": "disaggregated"}, "disaggregated, but the source does not say how"),
    ],
)
def test_rows_that_cannot_be_judged_say_why(changes, found):
    assert reason(row(**changes)) == found


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama 3.1 8B"),
        ("Llama-3.3-70B", "Llama 3.1 70B"),
        ("nvidia/DeepSeek-V3.1-NVFP4", "DeepSeek-V3"),
        ("DeepSeek-R1-0528", "DeepSeek-V3"),
        ("Qwen/Qwen3-235B-A22B-FP8", "Qwen3 235B-A22B"),
        ("Llama-4-Scout-17B-16E", "Llama 4 Scout"),
    ],
)
def test_names_of_checkpoints_lead_to_the_model(name, model):
    assert case_of(row(model=name, accelerator="B200-180GB")).model.name == model


@pytest.mark.parametrize(
    ("name", "accelerator"),
    [
        ("H200-SXM-141GB", "h200-sxm"),
        ("GB200-NVL72-192GB", "gb200"),
        ("GB300-NVL72-288GB", "gb300"),
        ("L40S-48GB", "l40s"),
    ],
)
def test_names_of_accelerators_may_state_memory_and_rack(name, accelerator):
    assert case_of(row(accelerator=name)).deployment.accelerator == accelerator


def test_most_shipped_rows_have_a_case_and_the_others_a_reason():
    reasons: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    for one in shipped_serving_rows():
        try:
            modes[case_of(one).mode] += 1
        except SkipError as found:
            reasons[str(found)] += 1
    assert modes == {"closed-loop": 1328, "offline": 140}
    assert reasons == {
        "disaggregated, but the source does not say how many replicas prefill and decode": 238,
        "disaggregated, but the source says no more than how many GPUs there are in all": 51,
        "the accelerator is not disclosed": 12,
        "quality is suspect, not primary": 28,
        "the load is not stated as a count of requests at once": 7,
    }
