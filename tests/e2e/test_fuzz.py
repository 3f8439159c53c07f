"""Damaged system files: an answer or one line, never a traceback."""

from __future__ import annotations

import random

TOKENS = (
    "-1", "0", "1e30", ".nan", "{}", "[]", "null", "true", "80 GB", "- a", "? b", "&a x", "*a", "!!python/name:os x",
    "|", ">", "%", "999999999999", "8.5", "万", "\t", "'", '"', "{a: [", "2 CNY/GPU-h", "\x07", "\u2028", "\ufeff",
)  # fmt: skip


def damaged(text: str, chance: random.Random) -> str:
    """The text with one to three lines lost, doubled, shifted or overwritten."""
    lines = text.splitlines()
    for _ in range(chance.randint(1, 3)):
        row = chance.randrange(len(lines))
        line, token = lines[row], chance.choice(TOKENS)
        column = chance.randrange(len(line) + 1)
        other = chance.randrange(len(lines))
        lines[row] = chance.choice(
            [
                "", lines[other], f"{line}\n{line}", f" {line}", line[1:], line[:column] + token + line[column:],
                line.split(":")[0] + ": " + token, line[:column] + token + line[column + 1 :],
            ]
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def test_damaged_files_give_an_answer_or_one_line(myriad, system):
    refused, whole = 0, system.read_text("utf-8")
    for seed in range(200):
        system.write_text(damaged(whole, random.Random(seed)), "utf-8")
        done = myriad("plan", "system.yaml")
        assert done.code in (0, 2), seed
        if done.code == 2:
            refused += 1
            assert done.out == "", seed
            assert done.err.startswith("myriad: error: system.yaml"), (seed, done.err)
            assert done.err.count("\n") == 1, (seed, done.err)
    assert 100 < refused < 200
