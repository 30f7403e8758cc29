"""``python -m kiro_rs_py.simulator``."""

from kiro_rs_py.simulator.server import main

if __name__ == "__main__":
    main()
