import pytest

from helpers.errors import CheckFailed, UsageError
from helpers.nano.block_manager import BlockManager
from helpers.nano.request import Request


def compute(manager: BlockManager, request: Request, tokens: int) -> None:
    """What scheduler and model do with a request, with nothing new coming out."""
    manager.allocate(request, tokens)
    manager.register(request, request.computed, request.computed + tokens)
    request.computed += tokens


def admit(manager: BlockManager, name: str, ids: list[int]) -> Request:
    request = Request.of(name, ids, 8)
    manager.attach_prefix(request)
    compute(manager, request, request.remaining)
    return request


def test_blocks_are_taken_only_when_the_last_one_is_full() -> None:
    manager = BlockManager(4, 4)
    request = Request.of("a", range(5), 8)
    compute(manager, request, 3)
    assert len(request.blocks) == 1
    compute(manager, request, 1)
    assert len(request.blocks) == 1
    compute(manager, request, 1)
    assert len(request.blocks) == 2
    assert (manager.used_blocks, manager.free_blocks, manager.usage) == (2, 2, 0.5)


def test_room_is_counted_in_whole_blocks() -> None:
    manager = BlockManager(2, 4)
    request = Request.of("a", range(5), 8)
    compute(manager, request, 5)
    assert manager.can_append(request, 3)
    assert not manager.can_append(request, 4)
    with pytest.raises(CheckFailed, match="more blocks than the 0 that are free"):
        manager.allocate(request, 4)
    assert len(request.blocks) == 2


def test_a_prefix_is_shared_by_whole_blocks_and_leaves_a_token_to_compute() -> None:
    manager = BlockManager(8, 4)
    first = admit(manager, "first", [*range(8), 50])
    same = Request.of("same", range(8), 8)
    assert manager.count_prefix(same) == 4  # all 8 would leave nothing to compute
    assert manager.attach_prefix(same) == 4
    assert same.computed == 4
    longer = admit(manager, "longer", [*range(8), 60])
    assert longer.blocks[:2] == first.blocks[:2]
    assert same.blocks == first.blocks[:1]
    assert [manager.references[block] for block in first.blocks] == [3, 2, 1]
    manager.check([first, same, longer])


def test_equal_tokens_behind_another_beginning_are_not_shared() -> None:
    manager = BlockManager(8, 4)
    admit(manager, "first", [1, 1, 1, 1, 2, 2, 2, 2, 3])
    assert manager.count_prefix(Request.of("a", [9, 1, 1, 1, 2, 2, 2, 2, 3], 8)) == 0
    assert manager.count_prefix(Request.of("b", [2, 2, 2, 2, 3], 8)) == 0
    assert manager.count_prefix(Request.of("c", [1, 1, 1, 1, 2, 2, 2, 9, 3], 8)) == 4


def test_released_blocks_are_found_again_until_the_space_is_needed() -> None:
    manager = BlockManager(4, 4)
    first = admit(manager, "first", [*range(8), 9])
    manager.release(first)
    assert (first.blocks, first.computed) == ([], 0)
    assert (manager.free_blocks, manager.cached_blocks) == (4, 2)
    # Two blocks without content go first, then the end of the prefix, then its beginning.
    other = admit(manager, "other", [70 + token for token in range(12)])
    assert manager.count_prefix(Request.of("again", [*range(8), 9], 8)) == 4
    manager.release(other, forget=True)
    again = admit(manager, "again", [*range(4), 9])
    assert manager.references[again.blocks[0]] == 1
    manager.check([again])


def test_of_cached_blocks_the_least_recently_used_goes_first() -> None:
    manager = BlockManager(2, 2)
    prompts = {"old": [1, 1, 5], "new": [2, 2, 5]}
    for ids in prompts.values():
        request = Request.of("r", ids[:2], 8)
        compute(manager, request, 2)
        manager.release(request)
    reader = Request.of("reader", prompts["old"], 8)
    manager.attach_prefix(reader)
    manager.release(reader)  # the old one has been used since
    compute(manager, Request.of("a", [8, 8], 8), 2)
    assert manager.count_prefix(Request.of("old", prompts["old"], 8)) == 2
    assert manager.count_prefix(Request.of("new", prompts["new"], 8)) == 0


def test_generated_tokens_are_found_again_too() -> None:
    manager = BlockManager(8, 2)
    request = admit(manager, "a", [1, 2])
    request.ids += [3, 4]
    compute(manager, request, 2)
    assert manager.count_prefix(Request.of("b", [1, 2, 3, 4, 5], 8)) == 4


def test_forgotten_blocks_are_not_found_and_those_without_owner_are_told() -> None:
    manager = BlockManager(8, 2)
    first = admit(manager, "first", [1, 2, 3, 4, 5])
    second = admit(manager, "second", [1, 2, 9])
    own = second.blocks[1]
    assert manager.release(second, forget=True) == [own]
    assert manager.count_prefix(Request.of("b", [1, 2, 3, 4, 5], 8)) == 0
    manager.check([first])


def test_without_prefix_caching_nothing_is_found() -> None:
    manager = BlockManager(8, 2, prefix_caching=False)
    request = admit(manager, "a", [1, 2, 3])
    assert manager.count_prefix(Request.of("b", [1, 2, 3], 8)) == 0
    manager.release(request)
    assert (manager.cached_blocks, manager.free_blocks) == (0, 8)


def test_same_content_computed_twice_is_known_once() -> None:
    manager = BlockManager(8, 2)
    one, other = Request.of("one", [1, 2, 3], 8), Request.of("other", [1, 2, 3], 8)
    compute(manager, one, 3)
    compute(manager, other, 3)
    assert not set(one.blocks) & set(other.blocks)
    manager.check([one, other])
    manager.release(one)
    manager.release(other)
    assert manager.cached_blocks == 1
    manager.check([])


@pytest.mark.parametrize(("blocks", "size"), [(0, 16), (-1, 16), (4, 0), (4, -2)])
def test_impossible_sizes_are_refused(blocks: int, size: int) -> None:
    with pytest.raises(UsageError, match="hold nothing"):
        BlockManager(blocks, size)


def test_check_sees_what_is_broken() -> None:
    manager = BlockManager(8, 2)
    request = admit(manager, "a", [1, 2, 3])
    manager.check([request])
    for broken, message in [
        ([request, request], "references"),
        ([], "references"),
    ]:
        with pytest.raises(CheckFailed, match=message):
            manager.check(broken)
    request.blocks.append(request.blocks[0])
    with pytest.raises(CheckFailed, match="twice"):
        manager.check([request])
    request.blocks.pop()
    request.computed = 5
    with pytest.raises(CheckFailed, match="more tokens than its blocks hold"):
        manager.check([request])
    request.computed = 3
    thief = Request.of("thief", [1, 9, 9], 8)
    thief.blocks = request.blocks[:1]
    thief.computed = 2
    manager.references[thief.blocks[0]] += 1
    with pytest.raises(CheckFailed, match="whose tokens differ"):
        manager.check([request, thief])
