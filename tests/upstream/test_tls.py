"""Which roots a context trusts; the handshakes are in test_transport."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal

import pytest
import truststore

from kiro_rs_py.errors import ConfigError
from kiro_rs_py.upstream.tls import build_tls_context


@pytest.mark.parametrize("backend", [None, "rustls", "native-tls"])
def test_every_context_verifies_and_refuses_old_tls(backend: Literal["rustls", "native-tls"] | None) -> None:
    context = build_tls_context(backend)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_rustls_means_the_bundled_roots_and_native_the_system() -> None:
    assert len(build_tls_context("rustls").get_ca_certs()) > 50
    assert type(build_tls_context("native-tls")) is truststore.SSLContext


def test_default_has_at_least_the_bundled_roots() -> None:
    bundled = {str(root) for root in build_tls_context("rustls").get_ca_certs()}
    assert bundled <= {str(root) for root in build_tls_context().get_ca_certs()}


def test_bad_ca_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        build_tls_context("rustls", tmp_path / "absent.pem")
    (tmp_path / "empty.pem").write_text("no certificate here")
    with pytest.raises(ConfigError, match="no certificates"):
        build_tls_context("rustls", tmp_path / "empty.pem")
