"""The routes of a server with everything switched on, for the check that each is documented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from kiro_rs_py.config import Config
from kiro_rs_py.convert.calibration import Calibrations
from kiro_rs_py.serve.admin.api import Api
from kiro_rs_py.serve.admin.house import House
from kiro_rs_py.serve.admin.wiring import Admin
from kiro_rs_py.serve.app import Route
from kiro_rs_py.serve.key_file import KeyFile
from kiro_rs_py.serve.key_keeper import ClientKeys
from kiro_rs_py.serve.run import Server, Upstream
from kiro_rs_py.upstream.catalog import LiveModels

_CONFIG = Config(api_key="sk-client-3f9c27d1b8a6", admin_api_key="sk-admin-3f9c27d1b8a6")


class _Nothing:
    """Stands for what routes are only given, and nobody asks while they are made."""


def served_routes() -> list[str]:
    """The paths of the app's routes."""
    return sorted(_routes())


def admin_endpoints() -> list[tuple[str, str]]:
    """Method and path, below ``/api/admin``, of every endpoint of the admin API."""
    handler: Callable[..., object] = _routes()["/api/admin"].handlers["GET"]
    api = cast("Api", getattr(handler, "__self__"))  # noqa: B009 (mypy knows no methods here)
    return [(endpoint.method, endpoint.path) for endpoint in api._endpoints]


def _routes() -> Mapping[str, Route]:
    nothing = cast("Any", _Nothing())
    models, keys = LiveModels(nothing, nothing, nothing), ClientKeys(KeyFile(Path("keys")))
    house = House(_CONFIG, nothing, nothing, nothing, nothing, nothing, models, keys)
    server = Server(_CONFIG, Upstream(nothing, house, Calibrations(), None))
    server.mount(Admin(house, base_url="", in_flight=lambda: 0, sources={}, spawn=nothing))
    return server.app._routes
