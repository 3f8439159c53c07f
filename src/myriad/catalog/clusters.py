"""Nodes and accelerators multiplied into clusters: `h800:16384` -> accelerators and tiers of links."""

from __future__ import annotations

from collections.abc import Sequence

from myriad.catalog.entry import entries, entry, find
from myriad.errors import MissingDataError, SpecError, unknown_name
from myriad.spec.accelerator import Accelerator
from myriad.spec.base import LARGEST_COUNT
from myriad.spec.cluster import Cluster, Link, Node, Sites
from myriad.spec.fibre import FIBRES
from myriad.spec.mixed import LongLink
from myriad.spec.system import Pool
from myriad.units import parse_quantity


def cluster(text: str) -> Cluster:
    """The cluster called `NAME:COUNT`: a catalog node or accelerator, and how many accelerators.

    An accelerator comes in its usual node. The count may be written `16384`, `16k` or `1e4`.
    Raises SpecError for a name or count that is wrong, MissingDataError if no node is known.
    """
    node_id, number = _node_and_count(text)
    try:
        return _build(text, node_id, number)
    except SpecError as error:
        raise SpecError(f"cluster {text!r}: {error}") from None


def counted_node(text: str) -> tuple[Node, int]:
    """The node of the cluster called `NAME:COUNT`, and its accelerators. Raises as `cluster` does."""
    node_id, number = _node_and_count(text)
    node = entry("nodes", node_id).spec
    assert isinstance(node, Node)
    try:
        _check_count(number, node, node_id)
    except SpecError as error:
        raise SpecError(f"cluster {text!r}: {error}") from None
    return node, number


def _node_and_count(text: str) -> tuple[str, int]:
    name, colon, count_text = text.rpartition(":")
    if not colon or not name.strip() or not count_text.strip():
        raise SpecError(f"cluster {text!r}: expected NAME:COUNT, for example h800:16384")
    try:
        number = parse_quantity(count_text, "count")
    except SpecError as error:
        raise SpecError(f"cluster {text!r}: the count after ':' is wrong: {error}") from None
    if number < 1 or number != int(number):
        raise SpecError(f"cluster {text!r}: the count must be a whole number of at least 1, found {count_text}")
    if number > LARGEST_COUNT:
        raise SpecError(f"cluster {text!r}: the count must be at most {LARGEST_COUNT:,}, found {count_text}")
    try:
        return node_id_of(name), int(number)
    except SpecError as error:
        raise SpecError(f"cluster {text!r}: {error}") from None


def cluster_of(pool_name: str, pool: Pool) -> Cluster:
    """The cluster of one pool of a system file, its own bandwidths and power in place of the node's."""
    try:
        built = _build(pool_name, _node_of(pool), pool.count, pool)
        size = node_of(pool).num_accelerators
        if pool.spares % size:
            raise SpecError(f"spares: {pool.spares} accelerators are not whole nodes of {size}")
        return built
    except (SpecError, MissingDataError) as error:
        raise type(error)(f"pools.{pool_name}: {error}") from None


def node_of(pool: Pool) -> Node:
    """The node that a pool is made of. Raises SpecError or MissingDataError if none is known."""
    found = entry("nodes", _node_of(pool)).spec
    assert isinstance(found, Node)
    return found


def _node_of(pool: Pool) -> str:
    if pool.node is not None:
        return pool.node
    assert pool.accelerator is not None
    return _default_node(pool.accelerator)


def node_id_of(name: str) -> str:
    """The node of this name, or the usual node of the accelerator of this name."""
    node_id = find("nodes", name)
    if node_id is not None:
        return node_id
    if find("accelerators", name) is not None:
        return _default_node(name)
    raise SpecError(unknown_name("accelerator or node", name, _known_names()))


def _known_names() -> list[str]:
    known = [*entries("accelerators"), *entries("nodes")]
    return [name for one in known for name in (one.id, *one.aliases)]


def _default_node(accelerator_name: str) -> str:
    found = entry("accelerators", accelerator_name)
    assert isinstance(found.spec, Accelerator)
    if found.spec.default_node is None:
        raise MissingDataError(
            f"the catalog has no node with {found.id}, so links are unknown; name a node, or add one that holds it"
        )
    return found.spec.default_node


def _build(name: str, node_name: str, count: int, pool: Pool | None = None) -> Cluster:
    node_entry = entry("nodes", node_name)
    node = node_entry.spec
    assert isinstance(node, Node)
    _check_count(count, node, node_entry.id)
    accelerator_entry = entry("accelerators", node.accelerator)
    assert isinstance(accelerator_entry.spec, Accelerator)
    watts = None if node.power_watts is None else node.power_watts / node.num_accelerators
    if pool is not None and pool.power_per_gpu is not None:
        watts = pool.power_per_gpu
    return Cluster(
        name=name,
        accelerator=accelerator_entry.spec,
        accelerator_id=accelerator_entry.id,
        num_accelerators=count,
        links=_links(node, count, pool),
        watts_per_accelerator=watts,
    )


def _check_count(count: int, node: Node, node_id: str) -> None:
    size = node.num_accelerators
    if count < size or count % size == 0:
        return
    below = count // size * size
    raise SpecError(
        f"{count} accelerators are not a whole number of {node_id} nodes of {size}; nearest: {below} or {below + size}"
    )


def _links(node: Node, count: int, pool: Pool | None) -> tuple[Link, ...]:
    scale_up = Link(
        tier="scale-up",
        domain=node.scale_up_domain,
        bytes_per_s_one_way=(pool and pool.scale_up_bandwidth) or node.scale_up_bytes_per_s_one_way,
        latency_s=node.scale_up_latency_s,
        efficiency=node.scale_up_efficiency,
        half_bytes=node.scale_up_half_bytes,
        start_s=node.scale_up_start_s,
        gather_share=node.scale_up_gather_share,
        reduction_share=node.scale_up_reduction_share,
        reduction_start_s=node.scale_up_reduction_start_s,
        point_to_point=node.scale_up_point_to_point,
    )
    scale_out = Link(
        tier="scale-out",
        domain=max(count, node.scale_up_domain),
        bytes_per_s_one_way=(pool and pool.scale_out_bandwidth) or node.scale_out_bytes_per_s_one_way,
        latency_s=node.scale_out_latency_s,
        efficiency=node.scale_out_efficiency,
        half_bytes=node.scale_out_half_bytes,
    )
    if count <= node.scale_up_domain:
        return (scale_up,)
    near = (scale_out,) if node.scale_up_domain == 1 else (scale_up, scale_out)
    return near if pool is None or pool.sites is None else _across(near, count, pool.sites)


def _across(near: tuple[Link, ...], count: int, sites: Sites) -> tuple[Link, ...]:
    """The tiers inside a site, and the long links between sites, shared by all accelerators of a site."""
    each, rest = divmod(count, sites.number)
    if rest:
        raise SpecError(f"sites.number: {count} accelerators do not divide over {sites.number} sites")
    scale_out = near[-1].model_copy(update={"domain": each})
    return (*near[:-1], scale_out, _long(near[-1], count, sites.bandwidth / each, sites))


def long_link(clusters: Sequence[Cluster], joined_by: LongLink, carriers: int) -> Link:
    """The link between two pools as one of its `carriers` sees it: accelerators of each pool that send at once.

    They share its bandwidth, and none sends faster than the slowest network of the pools lets it; efficiency
    and message sizes are those of the worse network, latency comes on top of the slower one's.
    """
    nearest = [cluster.links[-1] for cluster in clusters]
    slowest = min(nearest, key=lambda link: link.bytes_per_s_one_way)
    own = slowest.model_copy(
        update={
            "latency_s": max(link.latency_s for link in nearest),
            "efficiency": min(link.efficiency for link in nearest),
            "half_bytes": max(link.half_bytes for link in nearest),
        }
    )
    bytes_per_s = min(slowest.bytes_per_s_one_way, joined_by.bandwidth / carriers)
    return _long(own, sum(cluster.num_accelerators for cluster in clusters), bytes_per_s, joined_by)


def _long(near: Link, count: int, bytes_per_s: float, joined_by: Sites | LongLink) -> Link:
    """A tier of long links beyond the tier `near`."""
    return Link(
        tier="scale-across", domain=count, bytes_per_s_one_way=bytes_per_s,
        latency_s=near.latency_s + FIBRES[joined_by.fibre].seconds_per_metre * joined_by.distance,
        efficiency=near.efficiency, half_bytes=near.half_bytes,
    )  # fmt: skip
