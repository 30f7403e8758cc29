"""A small Kiro to talk to without an account: event-stream chat, token service, usage, models and web search.

``serve --demo``, the tests and the benchmarks use it as their upstream (PRODUCT §5). It refuses what the real service
refuses, so that a wrong request is noticed here, and it breaks on demand, so that every failure can be rehearsed.

Tests use three things: :class:`~kiro_rs_py.simulator.app.Simulator` (state, accounts, recorded requests, faults),
:class:`~kiro_rs_py.simulator.scenario.Scenario` (what it answers) and
:func:`~kiro_rs_py.simulator.server.open_simulator` (a real socket).
"""
