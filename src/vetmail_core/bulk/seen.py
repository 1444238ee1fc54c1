"""Which people a walk has met, in a few bytes each.

A plan is a stream, and a stream can only tell that somebody comes twice by remembering everybody. So this is
the one thing in a plan that grows with the number of people: 8 bytes for each, a 64-bit digest of the key.
A Python set of the keys would take some 100 bytes for each.

The price of a digest is that two different keys may share one, and that the second would then be taken for a
duplicate. Among n people this happens with a probability of n * n / 2**65: for a million people once in 37
million such mailings; and it would show, as every exclusion does.

Digests lie in 1024 sorted shards by their lowest bits, so that an insertion moves few bytes and growing never
copies everything at once.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import Final

__all__ = ["SeenKeys"]

_SHARD_BITS: Final = 0x3FF
_DIGEST_BYTES: Final = 8


class SeenKeys:
    """The keys met so far, as digests."""

    __slots__ = ("_shards",)

    def __init__(self) -> None:
        self._shards: dict[int, array[int]] = {}

    def meet(self, key: str) -> bool:
        """Remember a key.

        Args:
            key: a person's key.

        Returns:
            Whether it is new.
        """
        digest = _digest(key)
        shard = self._shards.get(digest & _SHARD_BITS)
        if shard is None:
            self._shards[digest & _SHARD_BITS] = array("Q", (digest,))
            return True
        place = bisect_left(shard, digest)
        if place < len(shard) and shard[place] == digest:
            return False
        shard.insert(place, digest)
        return True

    def __contains__(self, key: str) -> bool:
        digest = _digest(key)
        shard = self._shards.get(digest & _SHARD_BITS, ())
        place = bisect_left(shard, digest)
        return place < len(shard) and shard[place] == digest


def _digest(key: str) -> int:
    data = key.encode() if key.isascii() else key.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=_DIGEST_BYTES).digest(), "little")
