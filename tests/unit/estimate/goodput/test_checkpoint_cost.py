import pytest

from myriad.estimate.goodput.checkpoint_cost import FIXED_BLOCKING_S, SavingMachines, checkpoint_cost
from myriad.estimate.goodput.state import state_bytes_per_parameter
from myriad.spec.job import Optimizer

TB = 1e12
MACHINES = SavingMachines(100, 8, 50e9, 50e9, storage_write_bytes_per_s=100e9, storage_read_bytes_per_s=200e9)


def test_state_holds_weights_master_copy_and_moments_and_no_gradients():
    assert state_bytes_per_parameter(Optimizer()) == 14.0
    assert state_bytes_per_parameter(Optimizer(weight_bytes=4.0, master_bytes=0.0)) == 12.0


def test_storage_is_as_fast_as_the_slower_of_itself_and_the_network_of_those_that_write():
    at_storage = checkpoint_cost("storage", 4 * TB, MACHINES)
    copy_s = 4 * TB / 800 / (50e9 * 0.8)
    assert at_storage.blocking_s == pytest.approx(FIXED_BLOCKING_S + copy_s)
    assert at_storage.write_s == pytest.approx(FIXED_BLOCKING_S + copy_s + 40.0)
    assert at_storage.read_s == pytest.approx(copy_s + 20.0)
    one_node = SavingMachines(1, 8, 50e9, 5e9, 100e9, 100e9)
    assert checkpoint_cost("storage", 0.2 * TB, one_node).read_s == pytest.approx(10.0 + 0.2 * TB / 8 / 40e9)


def test_a_synchronous_checkpoint_blocks_until_it_is_written():
    cost = checkpoint_cost("storage", TB, MACHINES, asynchronous=False)
    assert cost.blocking_s == cost.write_s > checkpoint_cost("storage", TB, MACHINES).blocking_s


def test_peers_are_nearer_than_disks_and_disks_than_storage_for_many_nodes():
    write_s = [checkpoint_cost(place, 4 * TB, MACHINES).write_s for place in ("peer-memory", "node-disk", "storage")]
    assert write_s == sorted(write_s)
