"""Flags of engines: which releases are known, and how one is named."""

from __future__ import annotations

import pytest

from myriad import catalog
from myriad.errors import SpecError
from myriad.launch.arguments import Arguments

RELEASES = [(engine, release) for engine, of in catalog.launched_releases().items() for release in of]

NAMED = {
    "megatron-lm": "--num-layers",
    "torchtitan": "--job.dump_folder",
    "megatron-bridge": "model.num_layers",
    "deepspeed": "zero_optimization",
}
"""What training frameworks know; all servers know their host."""


@pytest.mark.parametrize(("engine", "release"), RELEASES)
def test_every_file_says_what_it_is_and_where_it_is_from(engine: str, release: str) -> None:
    found = catalog.engine_flags(engine, release)
    assert found.name == f"{engine}@{release}"
    assert found.source
    assert found.read_on >= "2026"
    assert NAMED.get(engine, "--host") in found.flags


def test_releases_are_ordered_by_number() -> None:
    assert catalog.launched_releases()["sglang"] == ("0.5.9", "0.5.11", "0.5.23")
    assert catalog.launched_releases()["tensorrt-llm"] == ("1.0.0", "1.2.0rc6.post2", "1.3.0rc14")


@pytest.mark.parametrize(
    ("software", "release", "found"),
    [
        ("vllm", "0.18", "vllm@0.18.0"),
        ("vllm", "0.18.0", "vllm@0.18.0"),
        ("sglang", "", "sglang@0.5.23"),
        ("sglang", "0.5", "sglang@0.5.23"),
        ("trtllm", "1.0", "tensorrt-llm@1.0.0"),
        ("tensorrt-llm", "1.2", "tensorrt-llm@1.2.0rc6.post2"),
    ],
)
def test_a_release_is_the_newest_that_begins_as_named(software: str, release: str, found: str) -> None:
    assert catalog.engine_flags(software, release).name == found


def test_other_releases_are_refused() -> None:
    with pytest.raises(SpecError, match=r"flags of vllm 9 are not known; known: 0.12.0, 0.18.0, 0.33.0"):
        catalog.engine_flags("vllm", "9")
    with pytest.raises(SpecError, match=r"unknown serving engine 'sglan'; did you mean 'sglang'"):
        catalog.engine_flags("sglan")


def test_arguments_are_refused_with_the_nearest_that_the_release_knows() -> None:
    given = Arguments(catalog.engine_flags("vllm", "0.18"), ("vllm", "serve"))
    with pytest.raises(SpecError, match=r"vllm@0.18.0 has no flag --max-num-seq; did you mean '--max-num-seqs'"):
        given.add("--max-num-seq", 3)
    with pytest.raises(SpecError, match=r"value of --dtype 'bfloat61'; did you mean 'bfloat16'"):
        given.add("--dtype", "bfloat61")
    with pytest.raises(SpecError, match=r"--speculative-config: unknown key 'methods'; did you mean 'method'"):
        given.add("--speculative-config", {"methods": "mtp"})
    with pytest.raises(SpecError, match=r"unknown value of method 'mpt'; did you mean 'mtp'"):
        given.add("--speculative-config", {"method": "mpt"})
    assert given.words() == ("vllm", "serve")
