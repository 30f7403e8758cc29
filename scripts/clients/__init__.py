"""The parts of ``check_clients.py``: how each client is installed, started and judged."""
