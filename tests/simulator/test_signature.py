from __future__ import annotations

from kiro_rs_py.simulator.signature import is_signed, sign


def test_only_the_same_words_for_the_same_model() -> None:
    signature = sign("I think", "m1")
    assert is_signed("I think", signature, "m1")
    assert not is_signed("I thought", signature, "m1")
    assert not is_signed("I think", signature, "m2")
    assert not is_signed("I think", "", "m1")


def test_a_signature_without_a_model_is_good_for_all() -> None:
    assert is_signed("I think", sign("I think", ""), "any")
