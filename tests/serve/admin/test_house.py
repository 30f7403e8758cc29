"""What every part of the administration asks the house."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kiro_rs_py.serve.admin.refusals import Refusal
from tests.serve.admin.estate import Estate


async def test_an_account_as_it_is_now(estate: Estate) -> None:
    house = estate.admin._house
    assert house.status(1).state == "active"
    await estate.pool.set_disabled(1, True)
    assert house.status(1).state == "disabled"
    with pytest.raises(Refusal, match="Credential not found: 9"):
        house.status(9)


async def test_the_models_that_the_settings_name(estate: Estate) -> None:
    catalog = estate.admin._house.catalog(replace(estate.config, models={"aliases": {"fast": "claude-haiku-4-5"}}))
    assert catalog.find("fast", thinking_suffix="").upstream_id == "claude-haiku-4.5"
