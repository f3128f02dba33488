import asyncio
from collections.abc import Awaitable, Callable

import pytest

from helpers.api.queue import WaitingQueue
from helpers.api.refusal import Refused


def run(body: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(body(), 10))  # type: ignore[arg-type]


def test_who_waits_longest_goes_first() -> None:
    async def body() -> None:
        queue = WaitingQueue(1, 10, 5)
        await queue.enter()
        order: list[int] = []

        async def visit(number: int) -> None:
            await queue.enter()
            order.append(number)
            queue.leave(0.1)

        tasks = [asyncio.create_task(visit(number)) for number in range(5)]
        await asyncio.sleep(0)
        assert queue.waiting == 5
        queue.leave(0.1)
        await asyncio.gather(*tasks)
        assert order == [0, 1, 2, 3, 4]
        assert (queue.in_flight, queue.waiting) == (0, 0)

    run(body)


def test_a_full_queue_says_when_to_return() -> None:
    async def body() -> None:
        queue = WaitingQueue(1, 0, 5)
        await queue.enter()
        with pytest.raises(Refused) as refused:
            await queue.enter()
        assert (refused.value.status, refused.value.code) == (429, "queue_full")
        assert refused.value.retry_after_s is not None
        for _ in range(100):
            queue.leave(40.0)
            await queue.enter()
        with pytest.raises(Refused) as later:
            await queue.enter()
        assert later.value.retry_after_s is not None
        assert later.value.retry_after_s > refused.value.retry_after_s

    run(body)


def test_waiting_is_bounded_in_time() -> None:
    async def body() -> None:
        queue = WaitingQueue(1, 5, 0.02)
        await queue.enter()
        with pytest.raises(Refused):
            await queue.enter()
        assert queue.waiting == 0
        queue.leave(0.1)
        assert queue.in_flight == 0

    run(body)


@pytest.mark.parametrize("first", ["leave", "cancel"])
def test_a_place_given_to_one_who_has_just_left_goes_on(first: str) -> None:
    async def body() -> None:
        queue = WaitingQueue(1, 5, 5)
        await queue.enter()
        leaver = asyncio.create_task(queue.enter())
        patient = asyncio.create_task(queue.enter())
        await asyncio.sleep(0)
        for action in (first, {"leave": "cancel", "cancel": "leave"}[first]):
            if action == "leave":
                queue.leave(0.1)
            else:
                leaver.cancel()
        await patient
        assert leaver.cancelled() or not leaver.done() or leaver.exception() is not None
        assert (queue.in_flight, queue.waiting) == (1, 0)
        queue.leave(0.1)
        assert queue.in_flight == 0

    run(body)
