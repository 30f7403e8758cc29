"""A local proxy that lets Anthropic-compatible clients use a Kiro subscription."""

__version__ = "0.1.0"
