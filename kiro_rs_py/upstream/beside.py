"""Tasks that run beside a block of code and end with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def tasks_beside() -> AsyncIterator[trio.Nursery]:
    """A nursery that cancels its tasks at the end of the block, and lets the block's exception out as it was raised.

    What a task raises comes out in a group, as of any nursery.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except Exception as exc:
            failure = exc  # raised below, so that no group is put around it
        finally:
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
