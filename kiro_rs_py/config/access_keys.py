"""The configured keys, given as they are or as ``sha256:`` and 64 hex digits, so that no file holds them (S16)."""

from __future__ import annotations

import re

HASH_MARK = "sha256:"

_HASH = re.compile(r"sha256:[0-9a-fA-F]{64}")


def is_hashed(key: str) -> bool:
    """Whether only the hash of the key is known."""
    return key.startswith(HASH_MARK)


def hashed(key: str) -> str:
    """A key as the configuration may hold it in its place."""
    return f"{HASH_MARK}{_sha256(key).hex()}"


def is_well_formed(key: str) -> bool:
    """False for what begins like a hash and is none."""
    return not is_hashed(key) or _HASH.fullmatch(key) is not None


def digest_of(key: str) -> bytes:
    """What the SHA-256 of a presented key is compared with. Empty, which no digest equals, without a key."""
    key = key.strip()
    if is_hashed(key):
        # A malformed one opens nothing; the reader of the configuration has refused it already.
        return bytes.fromhex(key.removeprefix(HASH_MARK)) if is_well_formed(key) else b""
    return _sha256(key) if key else b""


def _sha256(key: str) -> bytes:
    # Every command reads settings, few need this, and it brings OpenSSL with it.
    from hashlib import sha256

    return sha256(key.encode()).digest()


def same_key(one: str, other: str) -> bool:
    """Whether both are the same key, each given either way; two missing ones are not."""
    return bool(digest_of(one)) and digest_of(one) == digest_of(other)
