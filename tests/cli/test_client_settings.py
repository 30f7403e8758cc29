from __future__ import annotations

import ast
import json
import re
import shlex

from kiro_rs_py.cli.client_settings import client_settings

URL, KEY = "http://127.0.0.1:8080", "sk-it's $odd"


def indented(block: str, title: str) -> str:
    """The lines below a title."""
    return re.sub(r"^  ", "", block.split(f"{title}", 1)[1].split("\n\n")[0].partition("\n")[2], flags=re.MULTILINE)


def test_shell_lines_survive_the_shell() -> None:
    words = shlex.split(indented(client_settings(URL, KEY), "Claude Code:"))
    assert words == ["export", f"ANTHROPIC_BASE_URL={URL}", "export", f"ANTHROPIC_AUTH_TOKEN={KEY}", "claude"]


def test_curl_sends_a_message() -> None:
    words = shlex.split(indented(client_settings(URL, KEY), "curl:"))
    assert words[:2] == ["curl", f"{URL}/v1/messages"]
    assert f"x-api-key: {KEY}" in words
    assert json.loads(words[-1])["messages"] == [{"role": "user", "content": "Hello"}]


def test_the_python_lines_are_python() -> None:
    tree = ast.parse(indented(client_settings(URL, "sk-plain"), "Python SDK (pip install anthropic):"))
    assert len(tree.body) == 4


def test_the_base_url_has_v1_only_where_clients_want_it() -> None:
    text = client_settings(URL, KEY)
    assert [line for line in text.splitlines() if line.endswith("/v1")] == [text.splitlines()[-1]]
