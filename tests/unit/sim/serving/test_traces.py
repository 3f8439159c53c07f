import gzip

import numpy as np
import pytest

from myriad.errors import SpecError
from myriad.sim.serving.arrivals import gamma_s, lengths, modulated_s, poisson_s, sped_up
from myriad.sim.serving.traces import read_trace

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-17 00:00:00.0000000,12,0
"""
MOONCAKE = """{"timestamp": 3000, "input_length": 600, "output_length": 5, "hash_ids": [0, 7]}
{"timestamp": 1500, "input_length": 1100, "output_length": 2, "hash_ids": [0, 1, 2]}

"""


def test_azure_traces(tmp_path):
    path = tmp_path / "azure.csv"
    path.write_text(AZURE)
    trace = read_trace(path)
    assert trace.arrival_s == pytest.approx([0.0, 4.314579, 20653.31941], abs=1e-6)
    assert trace.input_tokens.tolist() == [374, 396, 12]
    assert trace.output_tokens.tolist() == [44, 109, 1]
    assert trace.block_counts.tolist() == [0, 0, 0]


def test_mooncake_traces_in_the_order_of_their_times(tmp_path):
    path = tmp_path / "mooncake.jsonl.gz"
    path.write_bytes(gzip.compress(MOONCAKE.encode()))
    trace = read_trace(path)
    assert trace.arrival_s.tolist() == [0.0, 1.5]
    assert trace.input_tokens.tolist() == [1100, 600]
    assert trace.block_counts.tolist() == [3, 2]
    assert trace.block_ids.tolist() == [0, 1, 2, 0, 7]
    assert trace.block_tokens == 512


def test_traces_of_our_own(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text('{"arrival_s": 2, "input_tokens": 40, "output_tokens": 3, "priority": 1, "block_ids": [5]}\n')
    trace = read_trace(path, block_tokens=32)
    assert (trace.priority.tolist(), trace.block_ids.tolist(), trace.block_tokens) == ([1], [5], 32)
    path = tmp_path / "own.csv"
    path.write_text("arrival_s,input_tokens,output_tokens,cached_tokens\n0,40,3,8\n1,9,1,\n")
    assert read_trace(path).cached_tokens.tolist() == [8, 0]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.txt", "", "expected a .csv or .jsonl"),
        ("a.csv", "arrival_s,input_tokens,output_tokens\n", "found no request"),
        ("a.csv", "time,tokens\n1,2\n", "found the columns time, tokens"),
        ("a.csv", "arrival_s,input_tokens,output_tokens\n0,5,1\n0,-5,1\n", "a.csv:3: input_tokens: found -5"),
        ("a.csv", "arrival_s,input_tokens,output_tokens\n0,5.5,1\n", "a.csv:2: input_tokens: found '5.5'"),
        ("a.csv", "arrival_s,input_tokens,output_tokens\nnan,5,1\n", "a.csv:2: arrival_s: expected a finite"),
        ("a.csv", AZURE.replace("2023-11-17", "tomorrow"), "a.csv:4: TIMESTAMP: found 'tomorrow"),
        ("a.jsonl", MOONCAKE.replace("[0, 7]", '["x"]'), "a.jsonl:1: hash_ids: found"),
        ("a.jsonl", "{}\n{", "a.jsonl:2: is not JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: expected an object"),
        ("a.jsonl.gz", "not compressed", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_trace_is_said_with_its_line(tmp_path, name, text, says):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SpecError, match=says):
        read_trace(path)


def test_a_missing_trace_is_said(tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        read_trace(tmp_path / "none.csv")


def test_drawn_streams_have_their_rate_and_variation():
    generator = np.random.default_rng(1)
    streams = {
        1.0: poisson_s(4.0, 20_000, generator),
        3.0: gamma_s(4.0, 3.0, 20_000, generator),
        0.0: gamma_s(4.0, 0.0, 20_000, generator),
    }
    for variation, times in streams.items():
        gaps = np.diff(times)
        assert gaps.mean() == pytest.approx(0.25, rel=0.08)
        assert gaps.std() / gaps.mean() == pytest.approx(variation, abs=0.15)
    bursts = modulated_s((1.0, 9.0), (10.0, 10.0), 20_000, generator)
    gaps = np.diff(bursts)
    assert (gaps >= 0).all()
    assert gaps.mean() == pytest.approx(1 / 5, rel=0.1)
    assert gaps.std() / gaps.mean() > 1.3
    with pytest.raises(SpecError, match="as many, above 0"):
        modulated_s((1.0,), (1.0, 2.0), 5, generator)


def test_lengths_have_their_mean():
    drawn = lengths(500, 0.8, 50_000, np.random.default_rng(2))
    assert drawn.mean() == pytest.approx(500, rel=0.02)
    assert drawn.std() / drawn.mean() == pytest.approx(0.8, rel=0.05)
    assert lengths(500, 0, 3, np.random.default_rng(2)).tolist() == [500] * 3


def test_a_trace_comes_faster():
    from serving_tables import requests

    assert sped_up(requests([0.0, 3.0], 1, 1), 2.0).arrival_s.tolist() == [0.0, 1.5]
