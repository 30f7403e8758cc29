"""Two hundred accounts, from a real server."""

from __future__ import annotations

from pathlib import Path

from kiro_rs_py.simulator.accounts import Account
from tests.ui.house import open_house
from tests.ui.page import Page

MANY = 200


def test_two_hundred_accounts(visit: Page, tmp_path: Path) -> None:
    accounts = [Account(name=f"user{number:03}") for number in range(MANY)]
    page = visit
    with open_house(tmp_path, accounts) as house:
        page.url = house.url
        page.sign_in("#/accounts")
        page.row("user000")
        assert len(page.all(".accounts tbody tr")) < MANY
        page.wait_text(".table-more", f"of {MANY}")

        def all_of_them() -> bool:
            page.js("window.scrollTo(0, document.body.scrollHeight)")
            return bool(page.js("return document.querySelectorAll('.accounts tbody tr').length") == MANY)

        page.wait(all_of_them)
        page.row("user199")
        page.js("window.scrollTo(0, 0)")
        page.type("Search accounts", "user12")
        page.wait(lambda: len(page.all(".accounts tbody tr")) == 10)
        page.type("Search accounts", "#")
        page.press("Show all accounts")
        page.row("user000")
        # A change of one account rebuilds no other row.
        page.js("document.querySelectorAll('.accounts tbody tr').forEach((row) => { row.marked = true; })")
        page.press("user003@example.com enabled")
        page.wait(lambda: "Disabled" in page.row("user003").text)
        assert page.js("return [...document.querySelectorAll('.accounts tbody tr')].every((row) => row.marked)")
        page.go("/", "Overview")
        page.wait(lambda: len(page.all(".quota-list li")) == 8)
        assert page.complaints() == []
        page.forget()
