"""The effective configuration (operations §2.2, PRODUCT §2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings with their defaults; names are the file's keys in snake_case. Times are seconds, sizes bytes."""

    # listening
    host: str = "127.0.0.1"
    port: int = 8080
    api_key: str = field(default="", repr=False)
    admin_api_key: str = field(default="", repr=False)
    admin_listen: str | None = None
    admin_hosts: tuple[str, ...] = ()
    metrics_key: str = field(default="", repr=False)
    cors_origins: tuple[str, ...] = ()
    max_inbound_body_bytes: int = 50 * 2**20
    max_inbound_bytes_in_flight: int = 512 * 2**20
    max_concurrent_requests: int = 1000
    ping_interval_seconds: float = 25.0
    shutdown_grace_seconds: float = 25.0
    log_format: Literal["text", "json"] = "text"
    # accounts
    credentials_path: Path = Path("credentials.json")
    load_balancing_mode: Literal["priority", "balanced"] = "priority"
    machine_id: str | None = None
    # upstream
    region: str = "us-east-1"
    auth_region: str | None = None
    api_region: str | None = None
    endpoint: Literal["auto", "q", "runtime"] = "auto"
    upstream_url: str | None = None
    kiro_version: str = "0.9.2"
    system_version: str = "darwin#24.6.0"
    node_version: str = "22.21.1"
    connect_timeout_seconds: float = 10.0
    first_event_timeout_seconds: float = 120.0
    idle_timeout_seconds: float = 120.0
    tls_backend: Literal["rustls", "native-tls"] | None = None
    ca_file: Path | None = None
    proxy_url: str | None = field(default=None, repr=False)
    proxy_username: str | None = field(default=None, repr=False)
    proxy_password: str | None = field(default=None, repr=False)
    no_proxy: tuple[str, ...] = ()
    dump_dir: Path | None = None
    # conversion
    thinking_suffix: str = "-thinking"
    thinking_format: Literal["blocks", "thinking", "think", "reasoning_content"] | None = None
    max_request_body_bytes: int = 400_000
    tool_compression_bytes: int = 0
    models: Mapping[str, object] = field(default_factory=dict)
    count_tokens_api_url: str | None = None
    count_tokens_api_key: str | None = field(default=None, repr=False)
    count_tokens_auth_type: Literal["x-api-key", "bearer"] = "x-api-key"
