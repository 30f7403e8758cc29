"""The command as a person meets it: options, terminal, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from pathlib import Path

import pytest

from kiro_rs_py.upstream.locks import FileLock
from tests.cli.simulated import Kiro, Terminal

BROWSER = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1]).status, file=open(sys.argv[2], "w"))
"""


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A browser that opens the address it is given and follows it, then writes the status into this pipe."""
    script, used = tmp_path / "browser.py", tmp_path / "browser-was-used"
    script.write_text(BROWSER)
    os.mkfifo(used)
    monkeypatch.setenv("BROWSER", f"{sys.executable} {script} %s {used}")
    return used


def test_builder_id(kiro: Kiro) -> None:
    kiro.simulator.oidc.approve_as = "builder"
    result = kiro("login")
    assert result.code == 0
    assert result.out == "#1 builder@example.com, KIRO FREE: logged in with builder-id\n"
    assert re.search(r"http://127\.0\.0\.1:\d+/device\?user_code=[A-Z-]{9}\n", result.err)
    assert re.search(r"shows the code  [A-Z]{4}-[A-Z]{4}\n", result.err)
    assert "\x1b" not in result.err
    assert "█" not in result.err
    (entry,) = kiro.stored()
    assert entry["authMethod"] == "idc"
    assert (entry["email"], entry["subscriptionTitle"]) == ("builder@example.com", "KIRO FREE")
    assert {
        "accessToken",
        "refreshToken",
        "clientId",
        "clientSecret",
        "clientSecretExpiresAt",
        "startUrl",
    } <= entry.keys()
    assert kiro.path.stat().st_mode & 0o777 == 0o600
    assert kiro.path.parent.stat().st_mode & 0o777 == 0o700
    assert kiro.simulator.counts["/refreshToken"] == 0  # stored as issued


def test_logging_in_again_replaces_the_tokens(kiro: Kiro) -> None:
    kiro.simulator.oidc.approve_as = "builder"
    kiro("login")
    kiro("accounts", "rename", "1", "mine")
    kiro("accounts", "priority", "1", "4")
    before = kiro.stored()[0]
    result = kiro("login", "--json")
    assert json.loads(result.out) == {
        "id": 1,
        "email": "builder@example.com",
        "subscriptionTitle": "KIRO FREE",
        "authMethod": "idc",
        "provider": "BuilderId",
        "replaced": True,
    }
    (entry,) = kiro.stored()
    assert entry["refreshToken"] != before["refreshToken"]
    assert entry["clientId"] == before["clientId"]  # the registration was used again
    assert kiro.simulator.counts["/client/register"] == 1
    assert (entry["label"], entry["priority"]) == ("mine", 4)


def test_a_disabled_account_is_told(kiro: Kiro) -> None:
    kiro.simulator.oidc.approve_as = "builder"
    kiro("login")
    kiro("accounts", "disable", "1")
    assert "`kiro-rs-py accounts enable 1` uses it again" in kiro("login").err


def test_trouble_after_the_tokens_does_not_lose_them(kiro: Kiro) -> None:
    kiro.simulator.oidc.approve_as = "builder"
    kiro.simulator.fail_next("/getUsageLimits", 500, times=9)
    kiro.simulator.fail_next("/ListAvailableProfiles", 500, times=9)
    result = kiro("login")
    assert result.code == 0
    assert result.out == "#1: logged in with builder-id\n"
    assert "warning: Its profile could not be looked up" in result.err
    assert "warning: Its plan and e-mail could not be asked for" in result.err
    assert kiro.stored()[0]["refreshToken"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--provider", "facebook"], 2, "builder-id"),
        (["--provider", "idc"], 2, "--start-url is needed with --provider idc"),
        (["--start-url", "https://d-1.awsapps.com/start"], 2, "goes with --provider idc only"),
        (["--provider", "google", "--region", "us-east-1"], 2, "goes with --provider idc only"),
        (["--provider", "idc", "--start-url", "https://example.com"], 1, "This is no start URL."),
        (["--provider", "idc", "--start-url", "https://d-9.awsapps.com", "--region", "mars"], 1, "no AWS region"),
        (["--provider", "idc", "--start-url", "https://d-9.awsapps.com"], 1, "does not know this start URL"),
    ],
)
def test_bad_input(kiro: Kiro, args: list[str], code: int, words: str) -> None:
    result = kiro("login", *args)
    assert result.code == code
    assert words in " ".join(result.err.split())
    assert result.out == ""
    assert not kiro.path.exists()


def test_a_file_that_cannot_hold_tokens_is_told_before_the_login(kiro: Kiro) -> None:
    kiro.store()
    kiro.path.write_text("[{]")
    result = kiro("login")
    assert result.code == 4
    assert kiro.simulator.counts == {}


def test_an_unreachable_service(kiro: Kiro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRO_RS_UPSTREAM_URL", "http://127.0.0.1:9")
    assert kiro("login").code == 1


def test_a_refused_login(kiro: Kiro) -> None:
    kiro.simulator.fail_next("/token", 400, {"error": "access_denied"})
    result = kiro("login")
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        "error: The sign-in was refused in the browser. Run the login again to retry."
    )
    assert not kiro.path.exists()


def test_on_a_terminal_with_qr_code_and_countdown(kiro: Kiro) -> None:
    with Terminal("login", "--no-browser") as terminal:
        terminal.wait_for("▀")
        terminal.wait_for(r"9:5\d left, Ctrl-C cancels")
        code = terminal.wait_for(r"[A-Z]{4}-[A-Z]{4}")
        kiro.simulator.oidc.approve(code, "builder")
        ended, seen = terminal.end()
    assert ended == 0
    assert "#1 builder@example.com, KIRO FREE: logged in" in seen
    kiro.check_secrets(seen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_is_clean(kiro: Kiro, number: signal.Signals) -> None:
    with Terminal("login", "--no-browser") as terminal:
        terminal.wait_for("Ctrl-C cancels")
        ended, seen = terminal.end(number)
    assert ended == 130
    assert seen.rstrip().endswith("Cancelled; nothing was stored.")
    assert "Traceback" not in seen
    assert not kiro.path.exists()


def test_the_browser_is_opened(kiro: Kiro, browser: Path) -> None:
    with Terminal("login") as terminal:
        code = terminal.wait_for(r"[A-Z]{4}-[A-Z]{4}")
        assert browser.read_text() == "200\n"
        kiro.simulator.oidc.approve(code, "builder")
        assert terminal.end()[0] == 0


def test_google_with_a_browser_on_this_machine(kiro: Kiro, browser: Path) -> None:
    with Terminal("login", "--provider", "google") as terminal:
        assert browser.read_text() == "200\n"
        ended, seen = terminal.end()
    assert ended == 0, seen
    assert "#1 demo@example.com, KIRO PRO+: logged in with google" in seen
    assert kiro.stored()[0]["authMethod"] == "social"
    assert kiro.stored()[0]["profileArn"] == kiro.simulator.accounts["demo"].profile_arn
    kiro.check_secrets(seen)


def test_github_with_a_browser_elsewhere(kiro: Kiro) -> None:
    import httpx

    with Terminal("login", "--provider", "github", "--no-browser") as terminal:
        address = terminal.wait_for(r"http://\S+/signin\?\S+")
        terminal.type("http://127.0.0.1:3128/oauth/callback?code=foreign&state=foreign")
        terminal.wait_for("does not belong to this login")
        terminal.type("")
        terminal.type(str(httpx.get(address, trust_env=False).headers["location"]))
        ended, seen = terminal.end()
    assert ended == 0, seen
    assert "logged in with" in seen


def test_a_login_beside_a_locked_file_waits_for_nobody_for_long(kiro: Kiro) -> None:
    """The lock is held by somebody who then lets go: the login goes on."""
    kiro.simulator.oidc.approve_as = "builder"
    kiro.path.parent.mkdir(parents=True)
    lock = FileLock(kiro.path.with_name("credentials.json.lock"))
    assert lock.try_acquire()

    thread = threading.Timer(0.1, lock.release)
    thread.start()
    assert kiro("login").code == 0
    thread.join()
