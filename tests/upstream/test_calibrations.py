"""What was learnt outlives the process."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from kiro_rs_py.convert.calibration import Calibration
from kiro_rs_py.upstream.calibrations import SAVE_SECONDS, open_calibrations
from kiro_rs_py.upstream.state import State, StateStore


async def test_what_was_learnt_is_known_again(tmp_path: Path) -> None:
    state = StateStore(tmp_path / "state.toml")
    async with open_calibrations(state) as calibrations:
        calibrations.learn("auto", 10_000, 13_000)
    async with open_calibrations(StateStore(state.path)) as calibrations:
        assert calibrations.of("auto") == Calibration().learnt(10_000, 13_000)
        assert calibrations.changed == set()


async def test_it_is_saved_now_and_then_and_only_what_is_new(autojump_clock: MockClock) -> None:
    state = StateStore(None)
    async with open_calibrations(state) as calibrations:
        calibrations.learn("auto", 10_000, 13_000)
        await trio.sleep(SAVE_SECONDS + 1)
        assert list((await state.read()).calibrations) == ["auto"]
        # Another process on the same file.
        (await state.read()).calibrations["auto"] = Calibration()
        calibrations.learn("glm-5", 10_000, 13_000)
    assert (await state.read()).calibrations == {
        "auto": Calibration(),
        "glm-5": Calibration().learnt(10_000, 13_000),
    }


async def test_what_cannot_be_saved_is_tried_again(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    class Full(StateStore):
        full = True

        def update_now(self, change: object) -> State:
            if self.full:
                from kiro_rs_py.errors import CredentialFileError

                raise CredentialFileError("The disk is full.")
            return super().update_now(change)  # type: ignore[arg-type]

    state = Full(None)
    async with open_calibrations(state) as calibrations:
        calibrations.learn("auto", 10_000, 13_000)
        await trio.sleep(SAVE_SECONDS + 1)
        assert calibrations.changed == {"auto"}
        assert "The disk is full." in caplog.text
        state.full = False
    assert list((await state.read()).calibrations) == ["auto"]
