"""The tree in the docstring is the tree of the classes."""

from __future__ import annotations

import inspect
import re

import pytest

from kiro_rs_py import errors
from kiro_rs_py.errors import ConfigError, KiroError, MethodNotAllowed, PromptTooLong

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, KiroError)]


def drawn() -> dict[str, str | None]:
    """Class → parent, from the drawing; a level is four characters deep."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ((?:│   |    |├── |└── )*)(\w+)(?:  |$)", line)
        if match:
            depth = len(match[1]) // 4
            del path[depth:]
            parents[match[2]] = path[-1] if path else None
            path.append(match[2])
    return parents


def test_the_drawing_shows_every_class_in_its_place() -> None:
    expected = {cls.__name__: None if cls is KiroError else cls.__bases__[0].__name__ for cls in CLASSES}
    assert drawn() == expected


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: str(cls.__name__))
def test_every_error_says_what_it_means(cls: type[KiroError]) -> None:
    assert cls.__doc__


def test_texts_made_of_facts() -> None:
    assert str(PromptTooLong(200_000, 200_000)) == "prompt is too long: 200001 tokens > 200000 maximum"
    assert str(ConfigError(["one", "two"])) == "one; two"
    assert str(MethodNotAllowed("PUT", ["GET", "HEAD"])) == "PUT is not allowed here. Use GET or HEAD."
