"""Hugging Face `config.json` -> model description -> catalog entry."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, Final

import yaml
from pydantic import ValidationError

from myriad.catalog import huggingface_families as families
from myriad.catalog.huggingface_config import Config, one_line, without_defaults
from myriad.errors import SpecError, nearest
from myriad.spec.model import Model

#: `architectures[0]` -> how to read it.
_BY_ARCHITECTURE: Final[dict[str, Callable[[Config], Model]]] = {
    "LlamaForCausalLM": families.llama,
    "MistralForCausalLM": families.mistral,
    "MixtralForCausalLM": families.mixtral,
    "Qwen2ForCausalLM": families.qwen2,
    "Qwen2MoeForCausalLM": families.qwen2,
    "Qwen3ForCausalLM": families.qwen3,
    "Qwen3MoeForCausalLM": families.qwen3,
    "Qwen3NextForCausalLM": families.qwen3_next,
    "Qwen3_5ForCausalLM": families.qwen3_next,
    "Qwen3_5ForConditionalGeneration": families.qwen3_next,
    "Qwen3_5MoeForCausalLM": families.qwen3_next,
    "Qwen3_5MoeForConditionalGeneration": families.qwen3_next,
    "DeepseekV2ForCausalLM": families.deepseek,
    "DeepseekV3ForCausalLM": families.deepseek,
    "DeepseekV32ForCausalLM": families.deepseek,
    "DeepseekV4ForCausalLM": families.deepseek_v4,
    "KimiK25ForConditionalGeneration": families.deepseek,
    "GlmMoeDsaForCausalLM": families.deepseek,
    "Glm4MoeForCausalLM": families.glm4_moe,
    "GptOssForCausalLM": families.gpt_oss,
    "MiMoForCausalLM": families.mimo,
    "MiMoV2FlashForCausalLM": families.mimo_v2_flash,
    "MiniMaxM2ForCausalLM": families.minimax_m2,
    "Llama4ForConditionalGeneration": families.llama4,
    "Gemma4ForConditionalGeneration": families.gemma4,
    "NemotronHForCausalLM": families.nemotron_h,
}

#: `model_type` -> architecture, for configurations that do not list one.
_BY_MODEL_TYPE: Final[dict[str, str]] = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "mixtral": "MixtralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen2_moe": "Qwen2MoeForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    "qwen3_next": "Qwen3NextForCausalLM",
    "qwen3_5": "Qwen3_5ForConditionalGeneration",
    "qwen3_5_moe": "Qwen3_5MoeForConditionalGeneration",
    "deepseek_v2": "DeepseekV2ForCausalLM",
    "deepseek_v3": "DeepseekV3ForCausalLM",
    "deepseek_v32": "DeepseekV32ForCausalLM",
    "deepseek_v4": "DeepseekV4ForCausalLM",
    "kimi_k2": "DeepseekV3ForCausalLM",
    "kimi_k25": "KimiK25ForConditionalGeneration",
    "glm_moe_dsa": "GlmMoeDsaForCausalLM",
    "glm4_moe": "Glm4MoeForCausalLM",
    "gpt_oss": "GptOssForCausalLM",
    "mimo": "MiMoForCausalLM",
    "mimo_v2_flash": "MiMoV2FlashForCausalLM",
    "minimax_m2": "MiniMaxM2ForCausalLM",
    "llama4": "Llama4ForConditionalGeneration",
    "gemma4": "Gemma4ForConditionalGeneration",
    "nemotron_h": "NemotronHForCausalLM",
}


def model_from_config(config: Mapping[str, Any], name: str) -> Model:
    """The model that a `config.json` describes.

    The language model of a multimodal configuration is under `text_config`; its vision and audio
    towers are left out. Raises SpecError for an architecture that is not covered, a missing key, a
    value of the wrong type, and values that contradict each other.
    """
    if not isinstance(config, Mapping):
        raise SpecError(f"{name}: expected the mapping of a config.json, found {type(config).__name__}")
    read = _BY_ARCHITECTURE[_architecture(config, name)]
    text = config.get("text_config")
    values = {**config, **text} if isinstance(text, Mapping) else config
    try:
        return read(Config(name, values))
    except ValidationError as error:
        raise one_line(name, error) from None


def _architecture(config: Mapping[str, Any], name: str) -> str:
    given = config.get("architectures")
    if given is None:
        model_type = config.get("model_type")
        if model_type is None:
            raise SpecError(f"{name}: missing key 'architectures' (or 'model_type'): not a config.json of a model")
        if not isinstance(model_type, str) or model_type not in _BY_MODEL_TYPE:
            raise _unsupported(name, "model_type", str(model_type), _BY_MODEL_TYPE)
        return _BY_MODEL_TYPE[model_type]
    if not isinstance(given, list) or not given or not isinstance(given[0], str):
        raise SpecError(f"{name}: architectures: expected a list of names, found {str(given)[:40]!r}")
    if given[0] not in _BY_ARCHITECTURE:
        raise _unsupported(name, "architecture", given[0], _BY_ARCHITECTURE)
    return given[0]


def _unsupported(name: str, what: str, found: str, supported: Mapping[str, object]) -> SpecError:
    return SpecError(
        f"{name}: {what} {found!r} is not covered{nearest(found, supported, limit=1)}; covered: {', '.join(supported)}"
    )


_LAYERS: Final = "  layers: LAYERS\n"


class _OneLine(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_OneLine, lambda d, v: d.represent_mapping("tag:yaml.org,2002:map", v, flow_style=True))


def to_entry_yaml(model: Model, source: str) -> str:
    """A catalog file with the model, ready to be put under `models/`; `source` says where it was published."""
    entry = {
        "schema": 1,
        "title": model.name,
        "sources": {"config": _OneLine({"title": source})},
        "source": "config",
        "kind": "published",
        "spec": _spec(model),
    }
    text = yaml.dump(entry, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=116)
    return text.replace(_LAYERS, f"  layers: {_layers(model)}\n", 1)


def _spec(model: Model) -> dict[str, Any]:
    """The description with every part of a block on a line of its own, and a mark where the layers go."""
    spec = without_defaults(model)
    spec["blocks"] = {
        name: {key: _OneLine(part) if isinstance(part, dict) else part for key, part in block.items()}
        for name, block in spec["blocks"].items()
    }
    if "published" in spec:
        spec["published"] = _OneLine(spec["published"])
    return spec | {"layers": "LAYERS"}


def _layers(model: Model) -> str:
    """The runs of layers, broken between runs: `[[dense, 3], [moe, 58]]`."""
    runs = [f"[{_word(name)},\u00a0{count}]" for name, count in model.layers]
    lines = textwrap.wrap(f"[{', '.join(runs)}]", 112, subsequent_indent="    ", break_long_words=False)
    return "\n".join(lines).replace("\u00a0", " ")


def _word(text: str) -> str:
    """The text as YAML, in quotes where it needs them."""
    return text if text.isidentifier() and yaml.safe_load(text) == text else json.dumps(text, ensure_ascii=False)
