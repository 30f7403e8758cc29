"""``serve --demo``: what somebody sees who has just built the program."""

from __future__ import annotations

import re

from tests.cli.running import serving
from tests.ui.page import Page


def test_three_accounts_one_cooling_one_in_need_of_signing_in(visit: Page) -> None:
    page = visit
    with serving("--demo", "--port", "0") as served:
        assert f"Admin page: {served.url}/admin" in served.told
        found = re.search(r"Admin key: +(\S+)", served.told)
        assert found
        page.url = served.url
        page.sign_in("#/accounts", found[1])
        assert "Active" in page.row("demo@example.com").text
        assert "Cooling" in page.row("team@example.com").text
        assert "Needs sign-in" in page.row("home@example.com").text
        served.say("<<SAY hello>>")
        page.go("/activity", "Activity")
        page.wait_text(".activity tr", "demo@example.com")
        page.go("/", "Overview")
        page.wait_text(".notice", "needs a new login")
        page.press("Sign in again")
        page.wait_text("h1", "home@example.com")
        assert page.complaints() == []
        page.forget()
