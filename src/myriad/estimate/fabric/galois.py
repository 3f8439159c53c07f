"""Finite fields as tables, for the graphs of Slim Fly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.estimate.fabric.network import IntArray


@dataclass(frozen=True)
class Field:
    """Elements 0 to q-1, the digits of an element in base p being its polynomial's coefficients."""

    add: IntArray
    """(q, q) sums."""
    multiply: IntArray
    """(q, q) products."""
    powers: IntArray
    """(q-1,) powers of a primitive element, from its zeroth."""


def prime_power(q: int) -> tuple[int, int] | None:
    """(p, n) with q = p^n; `None` where q is no power of a prime.

    >>> prime_power(27), prime_power(28)
    ((3, 3), None)
    """
    if q < 2:
        return None
    p = next((d for d in range(2, int(q**0.5) + 1) if q % d == 0), q)
    n = 0
    while q % p == 0:
        q, n = q // p, n + 1
    return (p, n) if q == 1 else None


def field(q: int) -> Field:
    """The field of q elements, q a power of a prime."""
    found = prime_power(q)
    assert found is not None
    p, n = found
    powers = next(powers for rest in range(1, q) if len(powers := _orbit(rest, p, n)) == q - 1)
    digits = np.arange(q)[:, None] // p ** np.arange(n) % p
    add = ((digits[:, None, :] + digits[None, :, :]) % p) @ p ** np.arange(n)
    log = np.zeros(q, dtype=np.int64)
    exponent = np.array(powers)
    log[exponent] = np.arange(q - 1)
    multiply = exponent[(log[:, None] + log[None, :]) % (q - 1)]
    multiply[0, :] = multiply[:, 0] = 0
    return Field(add, multiply, exponent)


def _orbit(rest: int, p: int, n: int) -> list[int]:
    """1, x, x^2, ... where x^n is the polynomial `rest`, until one comes again: q-1 of them where x is primitive."""
    reduced = [rest // p**i % p for i in range(n)]
    seen: dict[int, None] = {}
    digits = [1, *[0] * (n - 1)]
    while (value := sum(d * p**i for i, d in enumerate(digits))) not in seen and value:
        seen[value] = None
        top = digits[-1]
        digits = [(below + top * r) % p for below, r in zip([0, *digits[:-1]], reduced, strict=True)]
    return list(seen)
