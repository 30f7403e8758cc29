"""A certificate for loopback, made by the openssl command when a test wants one."""

from __future__ import annotations

import functools
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)


_folder = tempfile.TemporaryDirectory(prefix="kiro-rs-py-tests-")


@functools.cache
def loopback_certificate() -> Certificate:
    """Self-signed, for ``localhost`` and ``127.0.0.1``; the same one for the whole run."""
    folder = Path(_folder.name)
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    options = "-x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=localhost"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    files = ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(["openssl", "req", *options.split(), "-addext", names, *files], check=True, capture_output=True)
    return made
