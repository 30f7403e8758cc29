"""Settings: what they are (:mod:`settings`, :mod:`keys`), where they come from (:mod:`files`, :mod:`reader`), whether
they are good enough to serve with (:mod:`serving`), and a first file to start from (:mod:`template`)."""

from kiro_rs_py.config.settings import Config

__all__ = ["Config"]
