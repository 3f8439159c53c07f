import pytest

import myriad.catalog as catalog
from myriad.errors import MissingDataError, SpecError
from myriad.spec.system import Pool


def test_an_accelerator_comes_in_its_usual_node():
    found = catalog.cluster("h800:16384")
    assert found.accelerator_id == "h800-sxm"
    assert found.num_accelerators == 16384
    up, out = found.links
    assert (up.tier, up.domain, up.bytes_per_s_one_way) == ("scale-up", 8, 200e9)
    assert (out.tier, out.domain, out.bytes_per_s_one_way) == ("scale-out", 16384, 50e9)
    assert found.watts_per_accelerator == 10_200 / 8


def test_a_node_by_name():
    assert catalog.cluster("jean-zay-a100:384").links[1].bytes_per_s_one_way == 6.25e9


def test_trays_of_a_rack_share_one_domain():
    found = catalog.cluster("gb200:128")
    assert [link.domain for link in found.links] == [72, 128]
    assert found.watts_per_accelerator == pytest.approx(120e3 / 72, rel=0.01)


@pytest.mark.parametrize("text", ["h100:1", "h100:5", "h100:8", "gb200:72"])
def test_within_one_domain_there_is_no_network(text):
    assert [link.tier for link in catalog.cluster(text).links] == ["scale-up"]


@pytest.mark.parametrize(
    ("text", "count"), [("h100:10k", 10_000), ("h100:1e4", 10_000), ("h100:16,384", 16384), ("h100:1万", 10_000)]
)
def test_ways_to_write_a_count(text, count):
    assert catalog.cluster(text).num_accelerators == count


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("h800", "expected NAME:COUNT, for example h800:16384"),
        ("h800:", "expected NAME:COUNT"),
        (":8", "expected NAME:COUNT"),
        ("", "expected NAME:COUNT"),
        ("h800:-3", "must be a whole number of at least 1, found -3"),
        ("h800:0", "must be a whole number of at least 1, found 0"),
        ("h800:8.5", "must be a whole number of at least 1, found 8.5"),
        ("h800:x", "the count after ':' is wrong: 'x' is not a number"),
        ("h800:nan", "the count after ':' is wrong"),
        ("h800:16 GB", "unknown unit 'GB' for count"),
        ("h801:16", "unknown accelerator or node 'h801'; did you mean 'h800'"),
        ("h800:1001", "not a whole number of hgx-h800 nodes of 8; nearest: 1000 or 1008"),
        ("gb200:130", "nodes of 4; nearest: 128 or 132"),
    ],
)
def test_wrong_text(text, said):
    with pytest.raises(SpecError) as caught:
        catalog.cluster(text)
    assert str(caught.value).startswith(f"cluster {text!r}: ")
    assert said in str(caught.value)


def test_an_accelerator_without_a_node():
    with pytest.raises(MissingDataError, match="no node with xring-o1"):
        catalog.cluster("xring-o1:8")


def test_a_pool_puts_its_own_figures_in_place():
    pool = Pool.model_validate(
        {
            "accelerator": "h800",
            "count": 10_000,
            "scale_out_bandwidth": "200 Gb/s",
            "scale_up_bandwidth": "150 GB/s",
            "power_per_gpu": "1 kW",
        }
    )
    found = catalog.cluster_of("own", pool)
    assert found.name == "own"
    assert [link.bytes_per_s_one_way for link in found.links] == [150e9, 25e9]
    assert found.watts_per_accelerator == 1000


def test_a_pool_by_node():
    pool = Pool(node="dgx-h100", count=16)
    assert catalog.cluster_of("p", pool).accelerator_id == "h100-sxm"


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"node": "dgx-h101", "count": 16}, "pools.p: unknown node 'dgx-h101'; did you mean 'dgx-h100'"),
        ({"accelerator": "h1000", "count": 16}, "pools.p: unknown accelerator 'h1000'; did you mean"),
        ({"node": "dgx-h100", "count": 20}, "pools.p: 20 accelerators are not a whole number"),
    ],
)
def test_wrong_pools(pool, said):
    with pytest.raises(SpecError) as caught:
        catalog.cluster_of("p", Pool.model_validate(pool))
    assert said in str(caught.value)
