"""Volumes by hand on links without latency: bytes over bandwidth."""

import pytest

from myriad.estimate.collectives import OWN_PART
from myriad.estimate.exchange import block_exchange, key_value_elements, vocabulary_exchange_s
from myriad.spec.model import Block, GatedDeltaNet, GroupedQueryAttention, Mamba2
from small_setting import DENSE_BLOCK, FAR, LINKS, MLA, MOE_BLOCK, NEAR, STACK, WORK, cells, dense_model, one, stack

HIDDEN, TOKENS = 1024, 4096
ACTIVATION = 2 * TOKENS * HIDDEN


def exchange(block=DENSE_BLOCK, work=WORK, software=STACK, **layout):
    return block_exchange(block, dense_model(), cells(**layout), work, software, LINKS)


def test_nothing_is_sent_by_one_rank():
    alone = exchange(MOE_BLOCK)
    for name in ("tp", "cp", "ep"):
        assert one(getattr(alone, f"{name}_forward_s")) == one(getattr(alone, f"{name}_backward_s")) == 0


@pytest.mark.parametrize("tp", [2, 4, 8])
def test_sequence_parallel_gathers_and_scatters_around_mixer_and_feed_forward(tp):
    by_hand = 2 * 2 * ACTIVATION * (tp - 1 + OWN_PART) / tp / NEAR
    found = exchange(tp=tp)
    assert one(found.tp_forward_s) == pytest.approx(by_hand)
    assert one(found.tp_backward_s) == pytest.approx(by_hand)


def test_tensor_parallel_alone_reduces_the_same_bytes_in_place():
    assert one(exchange(tp=8, sp=False).tp_forward_s) == pytest.approx(2 * 2 * ACTIVATION * 7 / 8 / NEAR)


def test_tensor_parallel_over_two_nodes_is_paced_by_the_cards_that_they_share():
    part = 2 * 2 * ACTIVATION / 16
    assert one(exchange(tp=16).tp_forward_s) == pytest.approx(max((15 + OWN_PART) * part / NEAR, 15 * part / (8 * FAR)))


def test_of_experts_only_the_shared_ones_are_tensor_parallel():
    """Mixer and shared experts: two parts, as in a dense block. Without shared experts one."""
    routed = MOE_BLOCK.model_copy(
        update={"feed_forward": MOE_BLOCK.feed_forward.model_copy(update={"shared_width": 0})}
    )
    assert one(exchange(MOE_BLOCK, tp=4).tp_forward_s) == pytest.approx(one(exchange(tp=4).tp_forward_s))
    assert one(exchange(routed, tp=4).tp_forward_s) == pytest.approx(one(exchange(tp=4).tp_forward_s) / 2)


@pytest.mark.parametrize(("cp", "tp"), [(2, 1), (4, 2), (8, 1)])
def test_context_parallel_gathers_keys_and_values_of_the_whole_sequence(cp, tp):
    whole = 2 * 4096 * (4 / tp) * (64 + 64)
    found = exchange(cp=cp, tp=tp)
    assert one(found.cp_forward_s) == pytest.approx(whole * (cp - 1 + OWN_PART) / cp / NEAR)
    assert one(found.cp_backward_s) == pytest.approx(2 * whole * (cp - 1 + OWN_PART) / cp / NEAR)


def test_context_groups_start_beyond_tensor_groups():
    """TP 8 fills a node, so that CP ranks meet over the network."""
    whole = 2 * 4096 * 1 * 128  # each rank holds one of the four key heads: eight ranks hold copies
    assert one(exchange(cp=2, tp=8).cp_forward_s) == pytest.approx(whole / 2 / FAR)


@pytest.mark.parametrize("ep", [2, 8])
def test_experts_get_each_token_top_k_times_and_send_it_back(ep):
    sent = 2 * TOKENS * 4 * HIDDEN * (ep - 1 + OWN_PART) / ep
    found = exchange(MOE_BLOCK, ep=ep, dp=ep)
    assert one(found.ep_forward_s) == pytest.approx(2 * sent / NEAR)
    assert one(found.ep_backward_s) == pytest.approx(2 * sent / NEAR)


def test_experts_beyond_the_node_are_paced_by_each_own_card():
    sent = 2 * TOKENS * 4 * HIDDEN
    assert one(exchange(MOE_BLOCK, ep=32, dp=32).ep_forward_s) == pytest.approx(2 * sent * 24 / 32 / FAR)


def test_a_token_sent_once_to_each_node_saves_what_its_experts_share():
    """Four nodes, four choices: 4 (1 - (3/4)^4) = 2.73 nodes are hit instead of 4 times."""
    plain, once = (
        one(exchange(MOE_BLOCK, software=stack(dispatch_once_per_domain=flag), ep=32, dp=32).ep_forward_s)
        for flag in (False, True)
    )
    assert once / plain == pytest.approx(1 - 0.75**4)


def test_routing_within_groups_reaches_fewer_nodes():
    """Four nodes, one group each, two groups picked: 2 (1 - (1/2)^4) nodes are hit."""
    limited = MOE_BLOCK.feed_forward.model_copy(update={"groups": 4, "top_groups": 2})
    free, held = (
        one(exchange(block, software=stack(dispatch_once_per_domain=True), ep=32, dp=32).ep_forward_s)
        for block in (MOE_BLOCK, MOE_BLOCK.model_copy(update={"feed_forward": limited}))
    )
    assert held / free == pytest.approx(2 * (1 - 0.5**4) / (4 * (1 - 0.75**4)))


def test_sequence_shards_dispatch_their_own_tokens_only():
    whole, quarter = (one(exchange(MOE_BLOCK, ep=2, dp=8, tp=tp).ep_forward_s) for tp in (1, 4))
    assert quarter == pytest.approx(whole / 4)


def test_imbalance_makes_the_busiest_rank_send_more():
    busy = WORK.model_copy(update={"expert_imbalance": 1.5})
    plain = one(exchange(MOE_BLOCK, ep=8, dp=8).ep_forward_s)
    assert one(exchange(MOE_BLOCK, work=busy, ep=8, dp=8).ep_forward_s) == pytest.approx(1.5 * plain)


def test_expert_tensor_ranks_gather_and_scatter_what_arrives():
    arrived = 2 * (TOKENS / 4) * 4 * 4 * HIDDEN
    extra = one(exchange(MOE_BLOCK, tp=4, etp=4).tp_forward_s) - one(exchange(MOE_BLOCK, tp=4).tp_forward_s)
    assert extra == pytest.approx(2 * arrived * (3 + OWN_PART) / 4 / NEAR)


def test_expert_groups_start_beyond_expert_tensor_groups():
    """ETP 8 fills a node, so that the two expert ranks meet over the network."""
    sent = 2 * (TOKENS / 8) * 4 * HIDDEN
    assert one(exchange(MOE_BLOCK, tp=8, etp=8, ep=2, dp=2).ep_forward_s) == pytest.approx(2 * sent / 2 / FAR)


def test_key_value_sizes_of_mixers():
    def per_token(mixer, **layout):
        return one(key_value_elements(Block(mixer=mixer), cells(**layout)))

    assert per_token(GroupedQueryAttention(heads=8, kv_heads=2, head_dim=64, v_head_dim=32)) == 2 * 96
    assert per_token(GroupedQueryAttention(heads=8, kv_heads=2, head_dim=64, shared_kv=True)) == 2 * 64
    assert per_token(GroupedQueryAttention(heads=8, kv_heads=2, head_dim=64), tp=8) == 128
    assert per_token(MLA) == 16 * (64 + 32 + 64)
    assert one(key_value_elements(Block(feed_forward=DENSE_BLOCK.feed_forward), cells())) == 0


@pytest.mark.parametrize(
    "mixer",
    [Mamba2(heads=8, head_dim=64, state_dim=16, groups=1),
     GatedDeltaNet(key_heads=4, value_heads=4, key_head_dim=64, value_head_dim=64)],
)  # fmt: skip
def test_scans_turn_sequence_shards_into_head_shards_and_back(mixer):
    """All-to-alls move a share of the own tokens, not the whole sequence."""
    block = Block(mixer=mixer)
    elements = one(key_value_elements(block, cells(cp=4)))
    sent = 2 * 1024 * elements * (3 + OWN_PART) / 4
    assert one(exchange(block, cp=4).cp_forward_s) == pytest.approx(2 * sent / NEAR)
    assert one(exchange(block, cp=4).cp_backward_s) == pytest.approx(2 * sent / NEAR)


def test_vocabulary_gathers_and_scatters_once():
    both = vocabulary_exchange_s(dense_model(), cells(tp=8), LINKS)
    assert one(both) == pytest.approx(2 * ACTIVATION * (7 + OWN_PART) / 8 / NEAR)
