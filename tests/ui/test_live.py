"""What happens while the page is looked at."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from tests.ui.house import ADMIN_KEY, House, open_house
from tests.ui.page import Page
from tests.ui.relay import open_relay

# What Chrome calls a wire that was cut, depending on the moment.
CUT = ["ERR_EMPTY_RESPONSE", "ERR_CONNECTION_", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_SOCKET_NOT_CONNECTED"]


def test_requests_appear_by_themselves(page: Page, house: House) -> None:
    page.sign_in("#/activity")
    page.wait_text("h2", "No requests yet")
    house.say()
    page.wait(lambda: len(page.all(".activity tbody tr")) == 1)
    house.say("<<CALL Read {}>>", model="claude-opus-4-5")
    page.wait(lambda: len(page.all(".activity tbody tr")) == 2)
    first = page.all(".activity tbody tr")[0]
    assert "claude-opus-4.5" in first.text
    assert "ana@example.com" in first.text
    page.button("Details of the request to claude-opus-4.5").click()
    page.wait_text(".request-details", "/v1/messages")
    page.press("Pause")
    house.say()
    page.go("/", "Overview")
    page.wait(lambda: len(page.all(".request-list li")) == 3)


def test_states_change_by_themselves(page: Page, house: House) -> None:
    page.sign_in("#/accounts")
    page.row("ana")
    house.simulator.accounts["ana"].throttled = True
    house.say()
    page.wait(lambda: "Cooling" in page.row("ana").text)
    assert ":" in page.row("ana").find_element("css selector", "time[data-tick=left]").text
    house.simulator.grants.revoke(house.simulator.accounts["ben"])
    page.expected += ["status of 502"]
    page.menu("ben@example.com", "Refresh token")
    page.wait(lambda: "Needs sign-in" in page.row("ben").text)
    page.go("/", "Overview")
    page.wait_text(".notice", "needs a new login")


def test_a_lost_network_is_marked_and_comes_back(house: House, visit: Page) -> None:
    page = visit
    page.expected += CUT
    with open_relay(house.url) as wire:
        page.url = wire.url
        page.sign_in("#/accounts")
        page.row("ana")
        wire.cut()
        page.wait_text(".stale-bar", "The connection is lost.")
        page.wait_text(".live", "Stale since")
        page.press("ana@example.com enabled")
        page.toast("The server cannot be reached")
        assert page.labelled("ana@example.com enabled").get_attribute("aria-checked") == "true"
        wire.mend()
        page.press("Reconnect")
        page.wait_text(".live", "Live")
        page.wait_gone(".stale-bar")
        page.press("ana@example.com enabled")
        page.toast("ana@example.com is disabled.")
        assert house.entries()[0]["disabled"] is True


def test_a_page_without_a_server_says_so(house: House, visit: Page) -> None:
    page = visit
    page.expected += CUT
    with open_relay(house.url) as wire:
        page.url = wire.url
        page.open()
        page.wait_text("h1", "Sign in")
        wire.cut()
        page.type("Admin key", ADMIN_KEY)
        page.press("Sign in")
        page.wait_text(".notice", "The server cannot be reached.")
        wire.mend()
        page.press("Sign in")
        page.wait_text("h1", "Overview")


def test_a_server_that_is_started_again_asks_for_the_key(visit: Page, tmp_path: Path) -> None:
    page = visit
    page.expected += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "status of 401"]
    with open_house(tmp_path) as house:
        page.url = house.url
        page.sign_in("#/accounts")
        page.row("ana")
    page.wait_text(".stale-bar", "The connection is lost.")
    with open_house(tmp_path, port=urlsplit(page.url).port or 0, simulator=house.simulator):
        # It comes back by itself; sessions are in memory only.
        page.wait_text(".notice", "Your session has ended")
        page.type("Admin key", ADMIN_KEY)
        page.press("Sign in")
        page.row("ana")
        assert page.complaints() == []
        page.forget()


def test_a_page_that_is_left_open_does_not_grow(page: Page) -> None:
    page.sign_in("#/activity")
    counts = page.js(
        """
        const count = () => [document.querySelectorAll("*").length, document.querySelectorAll("tbody tr").length];
        const live = await import("/admin/assets/lib/live.js");
        const store = await import("/admin/assets/lib/store.js");
        const entry = (number) => ({requestId: `req_${number}`, time: new Date().toISOString(), route: "/v1/messages",
          model: "m", mode: "stream", credentialId: 1, status: 200, attempts: 1, firstByteMs: 1, totalMs: 2,
          inputTokens: 1, outputTokens: 1, credits: 0, stopReason: "end_turn", error: null});
        const feed = async (from, to) => {
          for (let number = from; number < to; number += 1) {
            live.receive("request", entry(number));
            if (number % 50 === 0) await null;
          }
          await new Promise((resolve) => setTimeout(resolve));
        };
        await feed(0, 1000);
        const early = count();
        await feed(1000, 5000);
        return [early, count(), store.get().requests.length];
        """
    )
    (early, early_rows), (late, late_rows), kept = counts
    assert kept == 500
    assert early_rows == late_rows == 50
    assert abs(late - early) <= 10


RECORDER = """
window.told = [];
window.Notification = class extends EventTarget {
  static permission = "default";
  static async requestPermission() { return (this.permission = "granted"); }
  constructor(title, options) { super(); window.told.push([title, options.body]); }
  close() {}
};
"""


def test_notifications_are_a_choice_and_tell_what_is_new(page: Page, house: House) -> None:
    page.expected += ["status of 502"]
    page.sign_in()
    page.js(RECORDER)
    house.simulator.grants.revoke(house.simulator.accounts["ben"])
    page.go("/accounts", "Accounts")
    page.menu("ben@example.com", "Refresh token")
    page.wait(lambda: "Needs sign-in" in page.row("ben").text)
    page.go("/settings", "Settings")
    page.wait_text(".nav", "1")
    assert page.js("return window.told") == []
    page.press("Notifications")
    page.wait(lambda: page.labelled("Notifications", "button").get_attribute("aria-checked") == "true")
    house.simulator.grants.revoke(house.simulator.accounts["cleo"])
    page.go("/accounts", "Accounts")
    page.menu("cleo@example.com", "Refresh token")
    page.wait(lambda: "Needs sign-in" in page.row("cleo").text)
    [[title, body]] = page.wait(lambda: page.js("return window.told"))
    assert title == "An account needs a new login"
    assert body == "2 accounts need a new login: ben@example.com, cleo@example.com."
    page.go("/", "Overview")
    page.wait_text(".notice", "2 accounts need a new login: ben@example.com, cleo@example.com.")
    page.press("Show them")
    page.wait(lambda: len(page.all(".accounts tbody tr")) == 2)
    page.go("/settings", "Settings")
    page.press("Notifications")
    page.wait(lambda: page.labelled("Notifications", "button").get_attribute("aria-checked") == "false")


def test_about_names_files_and_lock(page: Page, house: House) -> None:
    page.sign_in()
    page.go("/settings", "Settings")
    facts = page.wait_text(".facts", "credentials.json").text
    assert str(house.path) in facts
    assert "Everything is on disk" in facts
    assert "Free" in facts


def test_the_page_of_an_account_does_not_grow(page: Page) -> None:
    page.sign_in("#/accounts/1")
    page.wait_text("h2", "Models")
    early, late = page.js(
        """
        const live = await import("/admin/assets/lib/live.js");
        const store = await import("/admin/assets/lib/store.js");
        const all = store.get().accounts;
        const feed = async (from, to) => {
          for (let number = from; number < to; number += 1) {
            const changed = { successCount: number, failureTotal: number, inFlight: number % 3 };
            const credentials = all.credentials.map((entry) => ({ ...entry, ...changed }));
            live.receive("credentials", { ...all, credentials });
            await null;
          }
          await new Promise((resolve) => setTimeout(resolve));
          return document.querySelectorAll("*").length;
        };
        return [await feed(0, 200), await feed(200, 1000)];
        """
    )
    assert abs(late - early) <= 5
