"""Signatures of the model's own thinking: made here, and recognised when the thinking is replayed (§1.10)."""

from __future__ import annotations

import base64
import hashlib
import hmac

# Not a secret: it only has to be the same for all simulators, so that a session survives a restart.
_KEY = b"kiro-rs-py simulator"


def sign(text: str, model_id: str) -> str:
    """The model is part of it: thinking replayed to another model is refused, as upstream does. Without a model the
    signature is good for all of them."""
    digest = hmac.new(_KEY, f"{model_id}\0{text}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest * 4).decode()


def is_signed(text: str, signature: str, model_id: str) -> bool:
    return signature in (sign(text, model_id), sign(text, ""))
