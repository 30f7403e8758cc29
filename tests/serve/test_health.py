from __future__ import annotations

import pytest

from kiro_rs_py import __version__
from kiro_rs_py.config import Config
from kiro_rs_py.serve import health
from kiro_rs_py.serve.app import App
from tests.serve.in_memory import KEY, ask


def app(*, ready: bool = True) -> App:
    return App(health.routes(lambda: ready), Config(api_key=KEY))


@pytest.mark.parametrize("path", ["/", "/api/hello", "/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_probes_need_no_key(method: str, path: str) -> None:
    answer = await ask(app(), method, path, key=None)
    assert answer.status == 200
    assert answer.headers["request-id"].startswith("req_")


async def test_hello_says_who_is_there() -> None:
    assert (await ask(app(), "GET", "/", key=None)).json == {"name": "kiro-rs-py", "version": __version__}


async def test_readiness_is_a_status_and_nothing_more() -> None:
    answer = await ask(app(ready=False), "GET", "/readyz", key=None)
    assert (answer.status, answer.json) == (503, {"status": "not ready"})
    assert (await ask(app(ready=False), "GET", "/healthz", key=None)).status == 200


async def test_other_methods_are_refused() -> None:
    answer = await ask(app(), "POST", "/healthz", key=None)
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
