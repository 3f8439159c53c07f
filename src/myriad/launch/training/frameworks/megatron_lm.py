"""Megatron-LM: the arguments of `pretrain_gpt.py`, from the fields of the configuration that they set."""

from __future__ import annotations

from typing import Final

from myriad.launch.arguments import Arguments
from myriad.launch.files import File
from myriad.launch.training.frameworks.megatron_job import data_words, environment, job_fields
from myriad.launch.training.frameworks.megatron_model import Value
from myriad.launch.training.frameworks.start import Start
from myriad.spec.engine_flags import EngineFlags
from myriad.spec.training_launch import TrainingLaunch

SCRIPT: Final = "/opt/megatron-lm/pretrain_gpt.py"
"""Where NVIDIA's images keep it; `launch.script` names another."""

_OTHER_NAMES: Final = {
    "model.num_moe_experts": "--num-experts",
    "model.gated_linear_unit": "--swiglu",
    "model.fp8": "--fp8-format",
    "model.fp8_param": "--fp8-param-gather",
    "model.fp4": "--fp4-format",
    "model.virtual_pipeline_model_parallel_size": "--num-virtual-stages-per-pipeline-rank",
    "model.use_te_rng_tracker": "--te-rng-tracker",
    "ddp.grad_reduce_in_fp32": "--accumulate-allreduce-grads-in-fp32",
}
"""Flags that are not called after their field."""
_TURNED_OFF: Final = {
    "model.add_bias_linear": "--disable-bias-linear",
    "model.share_embeddings_and_output_weights": "--untie-embeddings-and-output-weights",
    "rerun_state_machine.check_for_nan_in_loss": "--no-check-for-nan-in-loss-and-grad",
}
"""Flags for fields that are on without them."""
_ELSEWHERE: Final = ("dataset.seq_length",)
"""Said by another flag already."""


def start(launch: TrainingLaunch, flags: EngineFlags) -> tuple[Start, tuple[File, ...]]:
    """What each rank runs. Raises SpecError for what the release does not know or Megatron cannot do."""
    words, notes = arguments(launch, flags)
    notes = (*notes, "every checkpoint is kept: nothing here removes old ones")
    script = launch.launch.script or SCRIPT
    return Start((script, *words, *launch.launch.arguments), environment(launch), notes=notes), ()


def arguments(launch: TrainingLaunch, flags: EngineFlags) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arguments without those that the job adds itself, and notes."""
    fields, notes = job_fields(launch, flags.name)
    given = Arguments(flags)
    for path, value in fields.items():
        if path not in _ELSEWHERE and path != "model.vocab_size":
            _add(given, path, value)
    if fields.get("model.num_query_groups"):
        given.add("--group-query-attention")
    positions = launch.model.learned_positions or max(launch.work.seq_len, launch.model.max_context_tokens or 0)
    given.add("--max-position-embeddings", positions)
    if launch.layout.zero == 3:
        given.add("--no-gradient-accumulation-fusion")
    if fields.get("model.bf16") and not fields["ddp.grad_reduce_in_fp32"]:
        # Without it, bf16 turns on what is not asked for: gradients in fp32.
        given.add("--grad-reduce-in-bf16")
    # Kernels mask what comes later themselves; a mask of a long sequence takes its square.
    given.add("--no-create-attention-mask-in-dataloader")
    _data(given, launch)
    return given.words(), notes


def _add(given: Arguments, path: str, value: Value) -> None:
    flag = _OTHER_NAMES.get(path) or "--" + path.partition(".")[2].replace("_", "-")
    if isinstance(value, bool):
        if path in _TURNED_OFF:
            flag, value = _TURNED_OFF[path], not value
        if value:
            given.add(flag)
    elif not isinstance(value, tuple):
        given.add(flag, value)
    elif path in ("model.moe_layer_freq", "model.window_attn_skip_freq"):
        given.add(flag, _pattern(value))
    elif path == "model.window_size":
        given.add(flag, ",".join(map(str, value)))
    else:
        given.repeat(flag, *map(str, value))


def _pattern(layers: tuple[int, ...] | tuple[str, ...]) -> str:
    """A list of 0 and 1 as Megatron evaluates it, runs folded: `([0]*3+[1]*58)`."""
    runs: list[list[int]] = []
    for one in map(int, layers):
        if runs and runs[-1][0] == one:
            runs[-1][1] += 1
        else:
            runs.append([one, 1])
    return "(" + "+".join(f"[{one}]*{times}" for one, times in runs) + ")"


def _data(given: Arguments, launch: TrainingLaunch) -> None:
    if launch.launch.data is None:
        given.add("--mock-data")
    else:
        given.repeat("--data-path", *data_words(launch.launch.data))
        given.add("--split", "100,0,0")
    if launch.launch.tokenizer is None:
        # It adds one token of its own.
        given.add("--tokenizer-type", "NullTokenizer")
        given.add("--vocab-size", launch.model.vocab - 1)
    else:
        given.add("--tokenizer-type", "HuggingFaceTokenizer")
        given.add("--tokenizer-model", launch.launch.tokenizer)
        given.add("--vocab-size", launch.model.vocab)
