import json

import pytest

from myriad.engine import Journal
from myriad.errors import SpecError


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "rows.journal"
    with Journal(path) as journal:
        journal.add("a", {"x": 0.1})
        journal.add("b", {"x": 2})
    return path


def test_what_was_added_is_there_again(kept):
    with Journal(kept) as journal:
        assert journal.results == {"a": {"x": 0.1}, "b": {"x": 2}}
        journal.add("c", "万")
    with Journal(kept) as journal:
        assert list(journal.results) == ["a", "b", "c"]


def test_an_end_at_any_byte_loses_at_most_the_line_under_way(kept):
    whole = kept.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        kept.write_bytes(whole[:cut])
        with Journal(kept) as journal:
            assert len(journal.results) == max(0, sum(end <= cut for end in ends) - 1), cut
            journal.add("again", cut)
        with Journal(kept) as journal:
            assert journal.results["again"] == cut
        assert all(json.loads(line) for line in kept.read_text("utf-8").splitlines())


@pytest.mark.parametrize("content", [b"id,model\n1,2\n", b"{}\n", b"my only copy of a poem"])
def test_another_file_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "rows.journal"
    path.write_bytes(content)
    with pytest.raises(SpecError, match="is not a journal"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_damaged_line_in_the_middle_is_named(kept):
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text(lines[0] + "{oops\n" + lines[2])
    with pytest.raises(SpecError, match=r"rows\.journal:2: is damaged"):
        Journal(kept)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(SpecError, match="cannot be opened"):
        Journal(tmp_path)
