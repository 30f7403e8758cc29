"""The page's files: found by name, never by path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kiro_rs_py.config import Config
from kiro_rs_py.serve.admin.static_files import StaticFiles
from kiro_rs_py.serve.app import App, Call
from tests.serve.in_memory import Answer, ask


def anybody(call: Call) -> None:
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small page, and a secret beside it."""
    (tmp_path / "secret.html").write_text("secret")
    made = tmp_path / "static"
    (made / "assets").mkdir(parents=True)
    (made / "index.html").write_text("<!doctype html>index")
    (made / "assets" / "app.js").write_text("export {};")
    (made / "assets" / "style.css").write_text("body{}")
    (made / "assets" / "icon.svg").write_text("<svg/>")
    (made / "assets" / "notes.py").write_text("secret")
    (made / "assets" / "link.html").symlink_to(tmp_path / "secret.html")
    return made


def app(folder: Path, check: Callable[[Call], None] = anybody) -> App:
    return App(StaticFiles(check, folder).routes(), Config(api_key="x"))


async def get(folder: Path, path: str, *headers: tuple[str, str]) -> Answer:
    return await ask(app(folder), "GET", path, headers=headers, key=None)


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/accounts", "/admin/accounts/7", "/admin/index.html"])
async def test_the_page_and_its_own_paths(folder: Path, path: str) -> None:
    answer = await get(folder, path)
    assert (answer.status, answer.body) == (200, b"<!doctype html>index")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
async def test_assets(folder: Path, name: str, type_: str) -> None:
    answer = await get(folder, f"/admin/assets/{name}")
    assert (answer.status, answer.headers["content-type"]) == (200, type_)


@pytest.mark.parametrize(
    "path",
    [
        "/admin/assets/missing.js",
        "/admin/../secret.html",
        "/admin/assets/../../secret.html",
        "/admin//etc/passwd.txt",
        "/admin/..\\secret.html",
        "/admin/assets/notes.py",
        "/admin/assets/link.html",
        "/admin/assets/app.js\x00.html",
    ],
)
async def test_nothing_else(folder: Path, path: str) -> None:
    answer = await get(folder, path)
    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")


async def test_etags(folder: Path) -> None:
    etag = (await get(folder, "/admin")).headers["etag"]
    for sent in (etag, f'"x", W/{etag}', "*"):
        answer = await get(folder, "/admin", ("if-none-match", sent))
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert (await get(folder, "/admin", ("if-none-match", '"x"'))).status == 200
    assert (await get(folder, "/admin/assets/app.js")).headers["etag"] != etag


async def test_files_are_read_once(folder: Path) -> None:
    served = app(folder)
    assert (await ask(served, "GET", "/admin", key=None)).status == 200
    (folder / "index.html").write_text("changed")
    assert (await ask(served, "GET", "/admin", key=None)).body == b"<!doctype html>index"


async def test_without_the_page(tmp_path: Path) -> None:
    answer = await get(tmp_path / "nowhere", "/admin")
    assert answer.status == 404
    assert "not part of this installation" in answer.json["error"]["message"]
