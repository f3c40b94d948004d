"""Lays out the zygote's free memory so that a child touches few pages of it: each costs a fault and a copy.

CPython hands out small objects from pools of 16 KiB, one for each size. In a long-lived pool the head, which changes
with every object, and the next free place lie on different pages. In a pool that has just been begun both are on its
first page, and what follows has never been touched.
"""

_POOL_BYTES = 16 * 1024
_POOL_HEAD_BYTES = 48
_LARGEST = 512
_ALIGNMENT = 16
_MOST_BYTES = 256 * 1024
_BYTES_OVERHEAD = bytes.__basicsize__


def begin_fresh_pools() -> list[list[bytes]]:
    """Fill what is free in the pool of each size until a new one is begun; what must be kept for that."""
    return [_fill(size) for size in range(3 * _ALIGNMENT, _LARGEST + 1, _ALIGNMENT)]


def _fill(size: int) -> list[bytes]:
    kept: list[bytes] = []
    while len(kept) * size < _MOST_BYTES:
        kept.append(bytes(size - _BYTES_OVERHEAD))
        if id(kept[-1]) % _POOL_BYTES == _POOL_HEAD_BYTES:
            break
    return kept
