"""What was learnt of counting tokens, kept in the state file (:mod:`kiro_rs_py.convert.calibration`)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import trio

from kiro_rs_py.convert.calibration import Calibrations
from kiro_rs_py.errors import CredentialFileError
from kiro_rs_py.upstream.state import State, StateStore

logger = logging.getLogger(__name__)

SAVE_SECONDS = 60.0


@asynccontextmanager
async def open_calibrations(state: StateStore, *, seconds: float = SAVE_SECONDS) -> AsyncIterator[Calibrations]:
    """Those of the state file; what is learnt inside the block is saved now and then, and on leaving it."""
    calibrations = Calibrations((await state.read()).calibrations)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_save_often, calibrations, state, seconds)
            yield calibrations
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await save(calibrations, state)


async def save(calibrations: Calibrations, state: StateStore) -> None:
    """Write what has changed; what cannot be written is tried again the next time."""
    changed = frozenset(calibrations.changed)
    if not changed:
        return
    calibrations.changed -= changed
    news = {upstream_id: calibrations.of(upstream_id) for upstream_id in changed}

    def change(state: State) -> None:
        state.calibrations |= news

    try:
        await state.update(change)
    except CredentialFileError as error:
        calibrations.changed |= changed
        logger.warning("what was learnt of counting tokens is kept in memory for now: %s", error)


async def _save_often(calibrations: Calibrations, state: StateStore, seconds: float) -> NoReturn:
    while True:
        await trio.sleep(seconds)
        await save(calibrations, state)
