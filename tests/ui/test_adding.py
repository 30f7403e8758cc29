"""Bringing accounts in: signing in with a device code, importing, and by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.house import House, open_house
from tests.ui.page import Page


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Only ana is in the file; ben and cleo may sign in."""
    with open_house(tmp_path, signed_in=["ana"]) as opened:
        yield opened


def start_builder_id(page: Page, label: str = "") -> str:
    """The code to confirm."""
    page.go("/add/builder-id", "Sign in with Builder ID")
    page.type("Label", label)
    page.press("Get a code")
    return page.wait_text(".user-code output", "-").text


def test_signing_in_with_builder_id(page: Page, house: House) -> None:
    page.sign_in("#/add")
    page.wait_text(".choice", "Sign in with Builder ID").click()
    page.wait_text("h1", "Sign in with Builder ID")
    code = start_builder_id(page, "Home")
    link = page.button("Open the page")
    assert (link.get_attribute("href") or "").endswith(f"/device?user_code={code}")
    assert link.get_attribute("rel") == "noopener noreferrer"
    picture = page.find(".qr img")
    page.wait(lambda: page.js("return arguments[0].complete && arguments[0].naturalWidth > 0", picture))
    house.approve(code, "ben")
    finished = page.wait_text(".finished", "The account is ready")
    page.wait(lambda: "Home" in finished.text and "30 left" in finished.text)
    assert [entry["email"] for entry in house.entries()] == ["ana@example.com", "ben@example.com"]
    page.press("Open it")
    page.wait_text("h1", "Home")


def test_a_refused_sign_in_can_be_tried_again(page: Page, house: House) -> None:
    page.sign_in()
    house.deny(start_builder_id(page))
    page.wait_text(".notice", "The sign-in did not work")
    page.press("Get a new code")
    house.approve(page.wait_text(".user-code output", "-").text, "ben")
    page.wait_text(".finished", "The account is ready")


def test_leaving_gives_the_sign_in_up(page: Page, house: House) -> None:
    page.sign_in()
    code = start_builder_id(page)
    page.go("/accounts", "Accounts")
    page.go("/activity", "Activity")
    page.press("Administration")
    page.wait_text("tr", "Sign-in cancelled")
    house.approve(code, "ben")
    page.go("/accounts", "Accounts")
    assert len(house.entries()) == 1


def test_a_start_url_that_cannot_be_one(page: Page) -> None:
    page.sign_in()
    page.go("/add/idc", "Sign in with your organisation")
    page.type("Start URL", "http://portal")
    page.press("Get a code")
    page.wait_text(".problem", "The start URL begins with https://")
    page.type("Start URL", "https://evil.example/start")
    page.expected += ["status of 400"]
    page.press("Get a code")
    page.wait(lambda: page.labelled("Start URL").get_attribute("aria-invalid") == "true")
    page.type("Start URL", "https://company.awsapps.com/start")
    page.type("Region", "attacker.example/?")
    page.press("Get a code")
    page.wait(lambda: page.labelled("Region").get_attribute("aria-invalid") == "true")


def test_importing_with_a_duplicate_and_a_bad_entry(page: Page, house: House) -> None:
    cleo = house.simulator.credential_json("cleo")
    known = {"refreshToken": house.entries()[0]["refreshToken"], "authMethod": "social"}
    bad = {"refreshToken": "aor" + "x" * 150, "authMethod": "social", "label": "<img src=x onerror=alert(1)>"}
    page.sign_in("#/accounts")
    page.press("Import")
    page.wait_text("h1", "Import tokens")
    page.expected += ["status of 400"]
    page.type("Tokens", "{not json")
    page.press("Import")
    page.wait_text(".problem", "neither a token nor JSON")
    page.js("arguments[0].value = arguments[1]", page.labelled("Tokens"), json.dumps([cleo, known, bad]))
    page.press("Import")
    page.wait_text("h2", "Import finished")
    lines = [line.text for line in page.all(".result-list li")]
    assert "cleo@example.com" in lines[0]
    assert "Added" in lines[0]
    assert "Already there" in lines[1]
    assert "<img src=x onerror=alert(1)>" in lines[2]
    assert "Not valid" in lines[2]
    page.toast("1 of 3 were taken in.")
    assert [entry["email"] for entry in house.entries()] == ["ana@example.com", "cleo@example.com"]
    page.driver.refresh()
    page.wait_text("h2", "Import finished")
    page.press("To the accounts")
    page.row("cleo")


def test_adding_an_api_key_by_hand(page: Page, house: House) -> None:
    page.sign_in()
    page.go("/add/api-key", "Add an API key")
    page.type("API key", "sk-wrong")
    page.press("Add this account")
    page.wait_text(".problem", "API keys begin with ksk_")
    page.type("API key", "ksk_made_up_and_unknown")
    page.expected += ["status of 400"]
    page.press("Add this account")
    page.wait(lambda: page.labelled("API key").get_attribute("aria-invalid") == "true")
    page.press("Show api key")
    assert page.labelled("API key").get_attribute("type") == "text"
    assert len(house.entries()) == 1


def test_a_refresh_token_that_is_none(page: Page, house: House) -> None:
    page.sign_in()
    page.go("/add/token", "Add a refresh token")
    page.press("Add this account")
    page.wait_text(".problem", "Refresh token is needed.")
    page.type("Refresh token", "aorAAAAAGshort")
    page.type("Priority", "-1")
    page.press("Add this account")
    page.wait_text(".problem", "Priority is a whole number from 0.")
    page.type("Priority", "2")
    page.expected += ["status of 400"]
    page.press("Add this account")
    page.wait(lambda: page.labelled("Refresh token").get_attribute("aria-invalid") == "true")
    page.type("Refresh token", "aor" + "x" * 150)
    page.type("Client id", "only-half-of-it")
    page.press("Add this account")
    page.wait(lambda: page.all("[aria-invalid=true]") or page.all("form [role=alert] .notice"))
    assert len(house.entries()) == 1


def test_the_first_account(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.menu("ana@example.com", "Delete…")
    page.press("Delete", lambda: page.find("dialog"))
    page.wait_text("h2", "No accounts yet")
    page.go("/", "Overview")
    page.wait_text("h2", "Add your first account")
    page.press("Add account")
    page.wait_text("h1", "Add account")
