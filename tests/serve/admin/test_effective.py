from __future__ import annotations

import json

from kiro_rs_py.config import Config
from kiro_rs_py.config.keys import KEYS
from kiro_rs_py.serve.admin.effective import effective_settings


def test_every_setting_is_json_and_no_secret_is_shown() -> None:
    config = Config(api_key="planted-a", admin_api_key="planted-b", proxy_url="http://u:planted-c@x:1", port=1)
    body = effective_settings(config, {"port": "environment KIRO_RS_PORT"})
    text = json.dumps(body)
    assert "planted" not in text
    settings = body["settings"]
    assert isinstance(settings, list)
    assert len(settings) == len(KEYS)
    shown = {setting["key"]: setting for setting in settings if isinstance(setting, dict)}
    assert shown["port"]["source"] == "environment KIRO_RS_PORT"
    assert shown["proxyUrl"]["source"] == "configured"
    assert shown["host"]["source"] == "default"
