"""An empty home folder, as for the command line's own tests."""

from tests.cli.conftest import home

__all__ = ["home"]
