"""Numbers that every payload needs (FORMAT.md §9, §13)."""

from bisect import bisect_left

D = 0xFF007FD55FFDDE39


def _squash_table():
    upper, e = [], 1 << 64
    for _ in range(3073):
        d = (1 << 64) + e
        upper.append(min(65535, ((1 << 80) + d // 2) // d))
        e = e * D >> 64
    return [65536 - upper[-x] for x in range(-3072, 0)] + upper[:3072]


_SQUASH = _squash_table()
_STRETCH = [
    min(bisect_left(_SQUASH, 16 * p + 8), len(_SQUASH) - 1) - 3072 for p in range(1 << 12)
]


def clamp(v, low, high):
    return low if v < low else high if v > high else v


def squash(x):
    return _SQUASH[clamp(x, -3072, 3071) + 3072]


def stretch(p):
    return _STRETCH[p >> 4]


def adapt(entry, bit, limit):
    """An adaptive entry after a bit."""
    p, n = entry >> 10, entry & 1023
    p += ((bit * (1 << 22) - bit - p) >> 6) * (65536 // (2 * n + 3)) >> 9
    p = max(0, p)
    return p << 10 | (n + 1 if n < limit else n)
