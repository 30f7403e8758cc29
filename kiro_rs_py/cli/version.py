"""``version``: what to write into a bug report."""

from __future__ import annotations

from kiro_rs_py.cli.options import JsonOption


def version(as_json: JsonOption = False) -> None:
    """Print the version, Python's version and the platform.

    \b
    Examples:
      kiro-rs-py version
      kiro-rs-py version --json
    """
    import platform

    from kiro_rs_py import __version__
    from kiro_rs_py.cli.terminal import print_json

    python, system = platform.python_version(), platform.platform(terse=True)
    if as_json:
        print_json({"version": __version__, "python": python, "platform": system})
    else:
        print(f"kiro-rs-py {__version__} (Python {python}, {system})")
