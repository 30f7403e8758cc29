from __future__ import annotations

import pytest
import trio
import trio.testing

from kiro_rs_py.upstream.beside import tasks_beside


async def test_tasks_end_with_the_block() -> None:
    ended = trio.Event()

    async def task() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with tasks_beside() as nursery:
        nursery.start_soon(task)
        await trio.testing.wait_all_tasks_blocked()
        assert not ended.is_set()
    assert ended.is_set()


async def test_the_blocks_exception_comes_out_as_it_is() -> None:
    async def block() -> None:
        async with tasks_beside() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise KeyError

    with pytest.raises(KeyError):
        await block()


async def test_a_tasks_exception_ends_the_block() -> None:
    async def task() -> None:
        raise KeyError

    async def block() -> None:
        async with tasks_beside() as nursery:
            nursery.start_soon(task)
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        await block()
    assert isinstance(caught.value.exceptions[0], KeyError)
