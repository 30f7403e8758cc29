"""``python -m kiro_rs_py``."""

from kiro_rs_py.cli import main

if __name__ == "__main__":
    main()
