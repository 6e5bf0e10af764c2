"""A binary heap of integers in a part of a larger array."""

from __future__ import annotations

from tree6g.compute.serving.requests import IntArray


def heap_push(a: IntArray, at: int, size: int, key: int) -> None:
    """Put a key into the heap of `size` keys that begins at `at`."""
    i = size
    while i > 0:
        up = (i - 1) >> 1
        above = a[at + up]
        if above <= key:
            break
        a[at + i] = above
        i = up
    a[at + i] = key


def heap_pop(a: IntArray, at: int, size: int) -> None:
    """Take the least of `size` keys away."""
    last = size - 1
    key = a[at + last]
    i = 0
    child = 1
    while child < last:
        if child + 1 < last and a[at + child + 1] < a[at + child]:
            child += 1
        least = a[at + child]
        if key <= least:
            break
        a[at + i] = least
        i = child
        child = 2 * i + 1
    a[at + i] = key
