import pytest

import myriad.catalog as catalog
from myriad.spec.model import Model
from myriad.trainer.model.reduced import reduced

SIZES = {
    "heads", "kv_heads", "head_dim", "v_head_dim", "window_tokens", "chunk_tokens", "q_lora_rank", "kv_lora_rank",
    "qk_nope_head_dim", "qk_rope_head_dim", "index_heads", "index_head_dim", "index_top_k", "output_groups",
    "output_lora_rank", "state_dim", "groups", "key_heads", "value_heads", "key_head_dim", "value_head_dim", "width",
    "experts", "top_k", "expert_width", "shared_width", "top_groups", "latent_dim", "dense_width",
}  # fmt: skip


def features(part) -> dict[str, object]:
    """A part with its sizes told only as none, zero, one or more."""
    found = part.model_dump() if part is not None else {}
    return {key: value and (value == 1 or "some") if key in SIZES else value for key, value in found.items()}


@pytest.mark.parametrize("name", catalog.names("models"))
def test_keeps_what_makes_the_architecture(name):
    whole = catalog.model(name)
    small = reduced(whole)
    assert Model.model_validate(small.model_dump()) == small
    assert small.num_layers <= 8
    assert small.block_kinds() == whole.block_kinds()
    assert (small.tied_embeddings, small.norm, small.residual_streams) == (
        whole.tied_embeddings, whole.norm, whole.residual_streams,
    )  # fmt: skip
    assert bool(small.learned_positions) == bool(whole.learned_positions)
    assert bool(small.mtp_depths) == bool(whole.mtp_depths)
    for kind in small.block_kinds():
        ours, theirs = small.blocks[kind], whole.blocks[kind]
        assert ours.post_norms == theirs.post_norms
        assert features(ours.mixer) == features(theirs.mixer)
        assert features(ours.feed_forward) == features(theirs.feed_forward)
