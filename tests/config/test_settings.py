from __future__ import annotations

import dataclasses

import pytest

from kiro_rs_py.config import Config


def test_defaults_of_kiro_rs_are_kept() -> None:
    config = Config()
    assert (config.host, config.port, config.region) == ("127.0.0.1", 8080, "us-east-1")
    assert (config.kiro_version, config.node_version) == ("0.9.2", "22.21.1")
    assert (config.load_balancing_mode, config.count_tokens_auth_type) == ("priority", "x-api-key")
    assert (config.thinking_suffix, config.max_request_body_bytes) == ("-thinking", 400_000)


def test_secrets_do_not_print() -> None:
    secret = "s3cret-s3cret-s3cret"
    config = Config(
        api_key=secret,
        admin_api_key=secret,
        proxy_url=f"http://u:{secret}@h",
        proxy_password=secret,
        count_tokens_api_key=secret,
    )
    assert secret not in repr(config)


def test_settings_do_not_change() -> None:
    config = Config(port=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.port = 2  # type: ignore[misc]
    assert dataclasses.replace(config, port=2) == Config(port=2)
