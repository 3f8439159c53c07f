"""What serving benchmarks leave unsaid, because everyone who runs them knows it.

A convention belongs to a publisher, an engine or a kind of checkpoint, never to a run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

from myriad.spec.model import Model
from myriad.spec.serving import Speculation
from myriad.validate.errors import SkipError
from myriad.validate.serving_layouts import Sizes
from myriad.validate.serving_rows import ServingRow

#: Pattern in `engine_version` -> engine of the catalog; the first match counts.
_ENGINES: Final = (
    (r"sglang", "sglang"),
    (r"vllm", "vllm"),
    (r"tensorrt[-_ ]?llm|trt[-_ ]?llm", "trtllm"),
)

_RELEASE: Final = re.compile(r"\b\d+\.\d+(?:\.\d+)?(?:\.?(?:rc|post|dev)\d+)*\b")

#: Release of Dynamo -> release of TensorRT-LLM in its images. 0.8.0 and 0.9.0: runs that name both; 0.5.1 and 0.7.0:
#: Dynamo's release notes, entered from general knowledge.
_TRTLLM_IN_DYNAMO: Final = {
    "0.5.1": "1.1.0rc5",
    "0.7.0": "1.2.0rc2",
    "0.8.0": "1.2.0rc6.post1",
    "0.8.1": "1.2.0rc6.post1",
    "0.9.0": "1.3.0rc1",
}


def is_inferencex(row: ServingRow) -> bool:
    """Whether the run is one of InferenceX, formerly InferenceMAX."""
    return re.match(r"infer(ence)?(x|max)", row.source, re.IGNORECASE) is not None


def engine(row: ServingRow) -> tuple[str, str]:
    """The engine and its release, the latter empty where the row names none: `sglang`, `0.5.9`.

    Where a row prints the release of Dynamo instead, that of the TensorRT-LLM inside is taken. Raises SkipError
    where no engine is named.
    """
    text = row.engine.strip()
    if not text:
        raise SkipError("the serving engine is not stated")
    known = (name for pattern, name in _ENGINES if re.search(pattern, text, re.IGNORECASE))
    name = next(known, text.split()[0].lower())
    releases = _RELEASE.findall(text)
    release = releases[0] if releases else ""
    if name == "trtllm" and release.startswith("0.") and (is_inferencex(row) or "dynamo" in text):
        numbers = re.match(r"\d+\.\d+\.\d+", release)
        release = _TRTLLM_IN_DYNAMO.get(numbers[0], "") if numbers else ""
    return name, release


def newest_not_newer(release: str, known: Iterable[str]) -> str:
    """The newest of the known releases that is not newer than `release`; empty without one.

    >>> newest_not_newer("1.2.0rc6.post3", ["1.0", "1.2.0rc6", "1.2"])
    '1.2.0rc6'
    """
    older = [one for one in known if release and _order(one) <= _order(release)]
    return max(older, key=_order, default="")


def _order(release: str) -> tuple[float, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", re.split(r"rc|\.?post|\.?dev", release)[0])]
    candidate, post = (re.search(rf"{word}(\d+)", release) for word in ("rc", "post"))
    last = (int(candidate[1]) if candidate else math.inf, int(post[1]) if post else 0)
    return (*[*numbers, 0, 0, 0][:3], *last)


def replica_sizes(row: ServingRow, sizes: Sizes) -> tuple[Sizes, int, str]:
    """The sizes of one aggregated replica, what the stated ones were divided by, and what was assumed.

    Tables made from InferenceX's own database print attention's ranks, and experts' slices, times `ep`: runs that
    stand in two of them, once as `tp64 moe-tp8 ep8` on 64 GPUs and once as `tp8 moe-tp1 ep8` on 8, tell. SGLang
    counts all ranks of a stage in `tp`, data-parallel attention among them.
    """
    if is_inferencex(row) and sizes.ep > 1 and sizes.moe_tp > 1 and not sizes.ranks % sizes.ep:
        return sizes.over(sizes.ep), sizes.ep, f"ranks divided by ep={sizes.ep}, which the source multiplied them by"
    total = deployment_gpus(row)
    if sizes.dp > 1 and sizes.tp * max(sizes.pp, 1) == total and not sizes.tp % sizes.dp:
        return Sizes(tp=sizes.tp // sizes.dp, pp=sizes.pp, dp=sizes.dp, ep=sizes.ep), 1, ""
    return sizes, 1, ""


def deployment_gpus(row: ServingRow) -> int | None:
    """GPUs of the deployment: `16-GPU deployment` in the text, where figures are printed per node, else `gpus`."""
    match = re.search(r"(\d+)-GPU deployment", row.parallelism)
    return int(match[1]) if match else row.num_gpus


def names_all_gpus(row: ServingRow, sizes: Sizes) -> bool:
    """Whether `tp` is the count of all GPUs of a deployment, as in InferenceX's first runs on NVL72 racks.

    Those of `tp36` repeat, within 2 %, later ones of one replica of 4 GPUs for prefill and four of 8 for decode.
    """
    rack = "NVL72" in row.accelerator.upper()
    return is_inferencex(row) and rack and sizes.tp > 8 and sizes.ep <= 1 and sizes.moe_tp == sizes.tp


INFERENCEX_MEAN: Final = 0.9
"""Mean length over the named one: its client draws lengths evenly from 0.8 to 1.0 of that."""


def mean_lengths(row: ServingRow) -> tuple[int | None, int | None, bool, str]:
    """Mean tokens of prompt and output, whether they vary from request to request, and what was assumed."""
    named = [int(float(text.split()[0])) if text else None for text in (row.input_length, row.output_length)]
    printed = re.search(r"average about (\d+)-(\d+) in / (\d+)-(\d+) out", row.notes)
    if printed:
        low_in, high_in, low_out, high_out = map(int, printed.groups())
        return (low_in + high_in) // 2, (low_out + high_out) // 2, True, ""
    if is_inferencex(row):
        share, note = INFERENCEX_MEAN, "lengths drawn evenly from 0.8 to 1.0 of those named"
    elif "random" in row.input_length:
        share, note = 0.5, "lengths drawn evenly from 1 to those named"
    else:
        return named[0], named[1], False, ""
    means = [None if tokens is None else max(1, round(share * tokens)) for tokens in named]
    return means[0], means[1], True, note


#: TensorRT-LLM release -> first date from which InferenceX ran DeepSeek with multi-token prediction on it, without
#: saying so in the tables: these runs are 1.3 to 2.3 times faster than others of the same configuration.
_INFERENCEX_MTP: Final = {"1.1.0rc2.post2": "2026-01", "1.2.0rc6.post3": "2026-02"}


def speculation(
    row: ServingRow, model: Model, name: str, release: str, data_parallel: bool
) -> tuple[Speculation | None, str]:
    """How tokens were drafted, and what was assumed.

    Stated by the row in `speculation`, or in words (`MTP accept length 3`, `no EAGLE`); else by the recipe. Tokens
    drafted and accepted are seldom stated: three and 2.4 then (one and 1.85 under data-parallel attention, the
    acceptance that the DeepSeek-V3 report states), as InferenceX's recipes draft.
    """
    text = f"{row.parallelism} {row.engine} {row.notes}"
    if match := re.search(r"(mtp|eagle)\D*accept(?:ance|ed)? length (\d+(?:\.\d+)?)", text, re.IGNORECASE):
        accepted = float(match[2])
        drafted = max(model.mtp_depths, 1, int(-(-accepted // 1)) - 1)
        return _speculation(match[1].lower(), drafted, accepted), ""
    stated = row.speculation or _in_words(text)
    if stated == "none":
        return None, ""
    if stated:
        return _usual(stated, data_parallel), "tokens drafted and accepted: not stated"
    since = _INFERENCEX_MTP.get(release, "9999") if name == "trtllm" and is_inferencex(row) else "9999"
    if model.mtp_depths and row.date >= since:
        return _usual("mtp", data_parallel), "multi-token prediction: the recipe of that image; its acceptance assumed"
    return None, ""


def _in_words(text: str) -> str:
    if re.search(r"\b(no|without) (mtp|eagle|speculat\w+)", text, re.IGNORECASE):
        return "none"
    match = re.search(r"\b(mtp|eagle|speculat)", text, re.IGNORECASE)
    return "" if match is None else match[1].lower().replace("speculat", "draft-model")


def _usual(method: str, data_parallel: bool) -> Speculation:
    return _speculation(method, 1, 1.85) if data_parallel else _speculation(method, 3, 2.4)


def _speculation(method: str, drafted: int, accepted: float) -> Speculation:
    return Speculation.model_validate({"method": method, "draft_tokens": drafted, "accepted_tokens": accepted})


#: Lineage in a model's name -> tokens that InferenceX's servers gather before they send them, by engine; else 1. Read
#: off the runs: TTFT at low load beyond prefill, in units of TPOT. Its recipes set `stream_interval`.
_STREAM_INTERVAL: Final = {
    ("sglang", "qwen3.5"): 30,
    ("sglang", "deepseek"): 20,
    ("trtllm", "deepseek"): 10,
}


def stream_interval(row: ServingRow, engine_name: str) -> tuple[int, str]:
    """Tokens that are sent together, and what was assumed."""
    for (name, lineage), tokens in _STREAM_INTERVAL.items():
        if name == engine_name and lineage in row.model.lower() and "cookbook" not in row.source.lower():
            return tokens, f"tokens sent by {tokens}: the recipe's stream interval, read off the runs"
    return 1, ""


def rounds(row: ServingRow) -> float:
    """Requests per place of the concurrency in one measurement: ten, as InferenceX and most clients are set."""
    return 10.0 if row.mode.lower().startswith("closed") else float("inf")


BALANCE_ITERATIONS: Final = 80
"""Iterations that prompts wait at most in InferenceX's recipes of DeepSeek on TensorRT-LLM with data-parallel attention
(`attention_dp_config: enable_balance`): read off the runs, TTFT beyond prefill is up to 77 to 97 times TPOT."""


def balance_iterations(row: ServingRow, engine_name: str, data_parallel: bool) -> tuple[int, str]:
    """Iterations that a prompt waits for those on other copies of attention, and what was assumed."""
    deepseek = "deepseek" in row.model.lower()
    if engine_name == "trtllm" and deepseek and data_parallel and is_inferencex(row):
        return BALANCE_ITERATIONS, f"prompts wait {BALANCE_ITERATIONS} iterations for each other: read off the runs"
    return 0, ""
