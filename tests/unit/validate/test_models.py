from __future__ import annotations

from pathlib import Path

import pytest

from myriad.errors import SpecError
from myriad.estimate.parameters import model_parameters
from myriad.spec.model import GroupedQueryAttention, MixtureOfExperts, MultiLatentAttention
from myriad.validate.models import models_from_yaml

DENSE = """
- name: tiny
  layers: 4
  hidden: 256
  ffn: 512
  heads: 4
  kv_heads: 2
  head_dim: 64
  vocab: 1000
  tied_embeddings: false
  gated_mlp: true
  attention: full
"""


def models(tmp_path: Path, text: str):
    file = tmp_path / "models.yaml"
    file.write_text(text)
    return models_from_yaml(file)


def test_dense_model_counts(tmp_path):
    model = models(tmp_path, DENSE)["tiny"]
    layer = 256 * (4 + 2 + 2 + 4) * 64 + 3 * 256 * 512 + 2 * 256
    assert model_parameters(model).total == 4 * layer + 2 * 256 * 1000 + 256


def test_leading_dense_layers_before_experts(tmp_path):
    moe = "  moe: {experts: 8, top_k: 2, expert_ffn: 128, shared_ffn: 64, dense_layers: 1}\n  mtp_layers: 1\n"
    model = models(tmp_path, DENSE + moe)["tiny"]
    assert model.layers == (("dense", 1), ("moe", 3))
    experts = model.blocks["moe"].feed_forward
    assert isinstance(experts, MixtureOfExperts)
    assert (experts.expert_width, experts.shared_width) == (128, 64)
    assert (model.mtp_depths, model.mtp_block) == (1, "moe")


def test_sliding_layers_alternate(tmp_path):
    model = models(tmp_path, DENSE.replace("full", "sliding(window=128, ratio=1 of 2 layers)"))["tiny"]
    windows = [model.blocks[k].mixer for k in model.layer_kinds()]
    assert all(isinstance(m, GroupedQueryAttention) for m in windows)
    assert [m.window_tokens for m in windows] == [128, None, 128, None]  # type: ignore[union-attr]


def test_latent_attention(tmp_path):
    text = DENSE.replace("full", "mla(q_lora_rank=96, kv_lora_rank=64, qk_nope=32, qk_rope=16, v_head=32)")
    mixer = models(tmp_path, text)["tiny"].blocks["dense"].mixer
    assert isinstance(mixer, MultiLatentAttention)
    assert (mixer.q_lora_rank, mixer.v_head_dim) == (96, 32)


def test_hybrid_follows_the_written_pattern(tmp_path):
    hybrid = (
        "  cite: pattern ME*E\n"
        "  moe: {experts: 8, top_k: 2, expert_ffn: 128}\n"
        "  hybrid: {mamba_layers: 1, attn_layers: 1, moe_layers: 2, mamba_heads: 4, mamba_head_dim: 64,"
        " mamba_state: 16, mamba_groups: 1}\n"
    )
    model = models(tmp_path, DENSE.replace("full", "hybrid(mamba2)") + hybrid)["tiny"]
    assert model.layer_kinds() == ("mamba", "moe", "attention", "moe")


def test_compressed_attention_is_left_to_the_catalog(tmp_path):
    other = DENSE.replace("tiny", "v4").replace("full", "'hybrid(compressed sparse attention: window 128)'")
    assert set(models(tmp_path, DENSE + other)) == {"tiny"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DENSE.replace("heads: 4\n  kv", "headz: 4\n  kv"), r":6: unknown key 'headz'; did you mean 'heads'"),
        (DENSE.replace("layers: 4", "layers: -4"), r":3: layers: .*found -4"),
        (DENSE.replace("hidden: 256", "hidden: 256\n  hidden: 512"), r":5: key 'hidden' is given twice"),
        (DENSE.replace("full", "windowed"), r":2: tiny: attention: expected full, sliding.*found 'windowed'"),
        (DENSE + DENSE, r":14: tiny: name: stands twice"),
        (DENSE.replace("ffn: 512", "ffn: 0"), r"ffn: expected at least 1"),
        ("- 3\n", r":1: expected a mapping"),
        ("name: tiny\n", "expected a list of models, found a mapping"),
        ("", "the file is empty"),
        ("- [unclosed\n", "yaml:2: "),
    ],
)
def test_errors_name_file_line_and_key(tmp_path, text, message):
    with pytest.raises(SpecError, match=message):
        models(tmp_path, text)
