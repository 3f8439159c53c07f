"""What the reference trainer builds against what the estimate counts, to the last parameter and FLOP."""

import pytest
import torch

import myriad.catalog as catalog
from benchmark_modules import benchmark
from myriad.estimate.flops import noncausal
from myriad.estimate.parameters import model_parameters
from myriad.trainer.model import build, unbuildable
from myriad.trainer.model.counts import forward_flops, num_parameters, step_flops
from myriad.trainer.model.reduced import reduced

STUDY = benchmark("trainer_counts")
BUILDABLE = [name for name in catalog.names("models") if not unbuildable(catalog.model(name))]
REDUCED = {reduced(catalog.model(name)).model_copy(update={"name": ""}).model_dump_json(): name for name in BUILDABLE}
"""Models that still differ when they are small, one of each."""


def test_most_of_the_catalog_can_be_built():
    assert len(BUILDABLE) >= 127
    assert len(REDUCED) >= 40
    assert set(STUDY.ARCHITECTURES) <= set(BUILDABLE)


@pytest.mark.parametrize("name", REDUCED.values())
def test_reduced_models_have_the_counted_parameters_and_flops(name):
    model = reduced(catalog.model(name))
    assert STUDY.built(model) == STUDY.counted(model)


@pytest.mark.parametrize("name", STUDY.ARCHITECTURES)
def test_whole_models_have_the_counted_parameters(name):
    model = catalog.model(name)
    assert num_parameters(build(model, device="meta")) == model_parameters(model).total_with_mtp


@pytest.mark.parametrize("name", STUDY.ARCHITECTURES)
def test_a_step_is_three_forward_passes(name):
    model = reduced(catalog.model(name))
    decoder, tokens = build(model), torch.zeros(2, 64, dtype=torch.int64)
    (forward, scans), step = forward_flops(decoder, tokens), step_flops(decoder, tokens)
    assert step.products == 3 * forward.products
    if not scans:
        assert step.inner == 3 * forward.inner


@pytest.mark.parametrize("name", ["llama3-8b", "palm-540b", "nemotron4-340b", "maxtext-22b"])
def test_wide_models_do_what_publishers_define(name):
    """The definition without causal order, of models all of whose parameters but norms are matrices."""
    model, tokens = catalog.model(name).with_layers(2), 4096
    counted, _ = forward_flops(build(model, device="meta"), torch.empty(1, tokens, dtype=torch.int64, device="meta"))
    assert 3 * (counted.products + counted.inner) == noncausal(model, tokens) * tokens
