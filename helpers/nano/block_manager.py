"""Who owns which block of the KV cache: block tables, references, and finding computed prefixes again.

The cache is cut into blocks of a fixed number of tokens, and a request gets a block only when its last one is full, so
at most one block per request is partly empty (PagedAttention, Kwon et al. 2023, section 4).

A full block is known by a hash of its tokens and of everything before them. A new request whose prompt begins with
known blocks shares them instead of computing them again. Blocks without an owner keep their content until the space is
needed; the least recently used goes first, and of one request the last block first, since a prefix is only of use with
all that comes before it.
"""

import hashlib
from array import array
from collections.abc import Iterable

from helpers.errors import CheckFailed, UsageError
from helpers.nano.request import Request

BLOCK_SIZE = 8
"""Tokens of a block where nothing else is said. Half a block of each request is empty on average: with 16, which vLLM
takes on a GPU, that is 7 % of a hundred tokens. Smaller ones mean longer tables and more pieces to gather."""

HASH_BYTES = 16
"""Wide enough that nobody makes two prefixes with the same hash, and with them reads another's prompt."""


class BlockManager:
    """The blocks of one cache.

    Args:
        blocks: how many there are.
        block_size: tokens that fit into one.
        prefix_caching: whether full blocks are found again by their content.

    Attributes:
        references: for each block, how many requests own it.
    """

    def __init__(self, blocks: int, block_size: int = BLOCK_SIZE, *, prefix_caching: bool = True) -> None:
        if blocks < 1 or block_size < 1:
            raise UsageError(f"{blocks} blocks of {block_size} tokens hold nothing", "both must be at least 1")
        self.blocks = blocks
        self.block_size = block_size
        self.prefix_caching = prefix_caching
        self.references = [0] * blocks
        self._unused = list(range(blocks))[::-1]
        # Blocks without an owner whose content is known; a dict keeps the order, least recently used first.
        self._cached: dict[int, None] = {}
        self._block_of: dict[bytes, int] = {}
        self._hash_of: dict[int, bytes] = {}

    @property
    def free_blocks(self) -> int:
        """Blocks without an owner, those with known content included."""
        return len(self._unused) + len(self._cached)

    @property
    def cached_blocks(self) -> int:
        """Blocks without an owner whose content can still be found."""
        return len(self._cached)

    @property
    def used_blocks(self) -> int:
        """Blocks with an owner."""
        return self.blocks - self.free_blocks

    @property
    def usage(self) -> float:
        """Share of the blocks that has an owner, 0 to 1."""
        return self.used_blocks / self.blocks

    def blocks_for(self, tokens: int) -> int:
        """How many blocks that many tokens fill, the last one perhaps in part."""
        return -(-tokens // self.block_size)

    def can_append(self, request: Request, tokens: int) -> bool:
        """Whether there is room for `tokens` more behind what the request has computed."""
        return self.blocks_for(request.computed + tokens) - len(request.blocks) <= self.free_blocks

    def allocate(self, request: Request, tokens: int) -> None:
        """Extend the request's table so that `tokens` more fit behind what it has computed.

        Raises:
            CheckFailed: there is no room; ask `can_append` first.
        """
        if not self.can_append(request, tokens):
            raise CheckFailed(
                f"{request.request_id} needs more blocks than the {self.free_blocks} that are free",
                "allocate was called without can_append",
            )
        for _ in range(self.blocks_for(request.computed + tokens) - len(request.blocks)):
            block = self._unused.pop() if self._unused else self._evict()
            self.references[block] = 1
            request.blocks.append(block)

    def count_prefix(self, request: Request) -> int:
        """Tokens at the beginning of the request that are in the cache; at least one is always left to compute."""
        return len(self._find_prefix(request)) * self.block_size

    def attach_prefix(self, request: Request) -> int:
        """Share the cached blocks that the request begins with, and count their tokens as computed.

        Args:
            request: without blocks.

        Returns:
            How many tokens that are.
        """
        for block in self._find_prefix(request):
            if self.references[block] == 0:
                del self._cached[block]
            self.references[block] += 1
            request.blocks.append(block)
        request.computed = len(request.blocks) * self.block_size
        return request.computed

    def register(self, request: Request, start: int, end: int) -> None:
        """Make the blocks findable that become full between two positions.

        Args:
            request: any.
            start, end: its tokens between them are known, and are computed by the current step at the latest.
        """
        if not self.prefix_caching:
            return
        for index in range(start // self.block_size, end // self.block_size):
            digest, block = self._hash_block(request, index), request.blocks[index]
            # The last block of a prompt that is wholly known is computed again: the first stays known, this is private.
            if digest not in self._block_of and block not in self._hash_of:
                self._block_of[digest] = block
                self._hash_of[block] = digest

    def release(self, request: Request, *, forget: bool = False) -> list[int]:
        """Give the request's blocks back; it has computed nothing then.

        Args:
            request: any.
            forget: its blocks are not to be found any more, since their content is not to be trusted.

        Returns:
            The blocks that have no owner now.
        """
        ownerless = []
        for block in reversed(request.blocks):
            if forget:
                self._forget(block)
            self.references[block] -= 1
            if self.references[block] == 0:
                ownerless.append(block)
                if block in self._hash_of:
                    self._cached[block] = None
                else:
                    self._unused.append(block)
        request.blocks.clear()
        request.computed = 0
        return ownerless

    def check(self, requests: Iterable[Request]) -> None:
        """Hold the invariants.

        Args:
            requests: all that own blocks.

        Raises:
            CheckFailed: one is broken.
        """
        owners: dict[int, list[tuple[Request, int]]] = {}
        for request in requests:
            _require(len(set(request.blocks)) == len(request.blocks), f"{request.request_id} has a block twice")
            enough = len(request.blocks) >= self.blocks_for(request.computed)
            _require(enough, f"{request.request_id} has computed more tokens than its blocks hold")
            for index, block in enumerate(request.blocks):
                owners.setdefault(block, []).append((request, index))
        counted = [len(owners.get(block, ())) for block in range(self.blocks)]
        _require(counted == self.references, "references do not agree with the block tables")
        placed = sorted([*self._unused, *self._cached, *owners])
        _require(placed == list(range(self.blocks)), "a block is not in exactly one of: unused, cached, owned")
        hashed = {block: digest for digest, block in self._block_of.items()}
        _require(self._hash_of == hashed, "hashes and blocks do not point at each other")
        _require(not self._hash_of.keys() & set(self._unused), "an unused block can be found by its content")
        for block, tables in owners.items():
            shared = len(tables) > 1
            for request, index in tables if shared else ():
                first, place = tables[0]
                end = (index + 1) * self.block_size
                same = index == place and end <= len(request.ids) and request.ids[:end] == first.ids[:end]
                _require(same, f"block {block} is shared by requests whose tokens differ")

    def _find_prefix(self, request: Request) -> list[int]:
        found: list[int] = []
        if self.prefix_caching:
            for index in range((len(request.ids) - 1) // self.block_size):
                block = self._block_of.get(self._hash_block(request, index))
                if block is None:
                    break
                found.append(block)
        return found

    def _hash_block(self, request: Request, index: int) -> bytes:
        """The hash of one full block and all before it; computed once, as known tokens never change."""
        hashes = request.block_hashes
        while len(hashes) <= index:
            start = len(hashes) * self.block_size
            content = array("q", request.ids[start : start + self.block_size]).tobytes()
            hashes.append(hashlib.blake2b((hashes[-1] if hashes else b"") + content, digest_size=HASH_BYTES).digest())
        return hashes[index]

    def _evict(self) -> int:
        block = next(iter(self._cached))
        del self._cached[block]
        self._forget(block)
        return block

    def _forget(self, block: int) -> None:
        digest = self._hash_of.pop(block, None)
        if digest is not None:
            del self._block_of[digest]


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise CheckFailed(what, "a fault in the engine's book-keeping")
