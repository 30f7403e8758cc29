"""A program as our child: on the same terminal, with our signals passed on, and its exit code as ours."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence

import trio

PARTING_SECONDS = 5.0

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
_FROM_KEYBOARD = {signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT)}


class Child:
    """One program to run, once. ``code`` is its exit code, 128 + n if signal n ended it; None before.

    ``is_foreground`` tells whether it gets the keyboard's signals by itself. ``patience``: how many seconds it may take
    to end when we cannot go on.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        is_foreground: Callable[[], bool] | None = None,
        patience: float = PARTING_SECONDS,
    ) -> None:
        self.code: int | None = None
        self._command = list(command)
        self._process: trio.Process | None = None
        self._is_foreground = is_foreground or in_foreground
        self._patience = patience

    async def run(self, environ: Mapping[str, str]) -> None:
        """Run it to its end. If this is cancelled, it is asked to end and then made to. Raises OSError."""
        process = await trio.lowlevel.open_process(self._command, env=dict(environ))
        self._process = process
        try:
            status = await process.wait()
        except BaseException:
            with trio.CancelScope(shield=True):
                await self._part_from(process)
            raise
        finally:
            self._process = None
        self.code = 128 - status if status < 0 else status

    async def _part_from(self, process: trio.Process) -> None:
        process.terminate()
        with trio.move_on_after(self._patience):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()

    def pass_on(self, number: int) -> bool:
        """Let the child have a signal of ours; False if it does not run.

        What is typed at the terminal reaches the child without us: it would come twice.
        """
        if self._process is None:
            return False
        if number not in _FROM_KEYBOARD or not self._is_foreground():
            self._process.send_signal(number)
        return True


async def with_signals(child: Child, work: Callable[[], Awaitable[None]]) -> int:
    """``work`` runs the child, with what it needs around it. The exit code: the child's, if it got to run.

    Signals are the child's while it runs. Before and after, they end ``work``.
    """
    interrupted = 0
    numbers = {getattr(signal, name) for name in _NAMES if hasattr(signal, name)}
    with trio.open_signal_receiver(*numbers) as received:
        async with trio.open_nursery() as nursery:

            async def obey() -> None:
                nonlocal interrupted
                async for number in received:
                    if not child.pass_on(number):
                        interrupted = number
                        nursery.cancel_scope.cancel()

            nursery.start_soon(obey)
            await work()
            nursery.cancel_scope.cancel()
    return child.code if child.code is not None else 128 + interrupted


def in_foreground() -> bool:
    """Whether the terminal's keyboard signals reach us and our children alike."""
    if not hasattr(os, "tcgetpgrp"):
        return True  # Windows sends them to everybody at the console
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
