"""The endpoints of jobs; what the jobs do is in test_logins.py and test_imports.py."""

from __future__ import annotations

import pytest

from tests.serve.admin.estate import Estate, code_of


@pytest.mark.parametrize("kind", ["logins", "imports"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_jobs_there_are_none_of(estate: Estate, kind: str, method: str) -> None:
    answer = await estate.client.request(method, f"{kind}/made-up")
    assert code_of(answer) == (404, "not_found", f"{kind[:-1]}_not_found")


async def test_a_login_s_life_by_its_endpoints(estate: Estate) -> None:
    login = (await estate.post("logins", {"method": "builder-id"})).json()
    assert (await estate.client.get(f"logins/{login['id']}")).json()["status"] == "pending"
    answer = await estate.client.delete(f"logins/{login['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
