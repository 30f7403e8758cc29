"""The command, from every source to its exit code."""

from __future__ import annotations

import json
import signal
import sqlite3
from pathlib import Path

import pytest

from kiro_rs_py.convert.anthropic import JsonObject
from tests.cli.simulated import Kiro, Terminal

SPENT = "aorAAAAAG" + "s" * 120


def put(kiro: Kiro, content: object, name: str = "export.json") -> str:
    path = kiro.home / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def ide_cache(kiro: Kiro, account: str = "builder") -> Path:
    """Kiro IDE's folder, as the IDE writes it for an IdC login."""
    entry = kiro.simulator.credential_json(account)
    folder = kiro.home / ".aws" / "sso" / "cache"
    folder.mkdir(parents=True)
    token: JsonObject = {
        name: entry[name] for name in ("accessToken", "refreshToken", "expiresAt", "provider", "region")
    }
    digest = "e909a0580879b06ece1202964fbe9dda95ea4ce3"
    token |= {"clientIdHash": digest, "authMethod": "IdC"}
    (folder / "kiro-auth-token.json").write_text(json.dumps(token))
    registration = {name: entry[name] for name in ("clientId", "clientSecret")}
    (folder / f"{digest}.json").write_text(json.dumps({**registration, "expiresAt": "2099-01-01T00:00:00Z"}))
    return folder


def cli_database(kiro: Kiro, account: str = "demo") -> Path:
    entry = kiro.simulator.credential_json(account)
    path = kiro.home / ".local" / "share" / "kiro-cli" / "data.sqlite3"
    path.parent.mkdir(parents=True)
    token = {"access_token": entry["accessToken"], "refresh_token": entry["refreshToken"], "provider": "Google"}
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT)")
        connection.execute("INSERT INTO auth_kv VALUES ('kirocli:social:token', ?)", (json.dumps(token),))
    connection.close()
    return path


def test_a_kiro_rs_file(kiro: Kiro) -> None:
    demo = kiro.simulator.credential_json("demo", priority=3, id=77)
    path = put(kiro, [demo, {"id": 5}])
    result = kiro("import-token", path)
    assert result.code == 0
    assert result.out == "#1 demo@example.com KIRO PRO+: imported, google\n"
    assert "left out: Entry 2 has neither refreshToken nor kiroApiKey." in result.err
    assert "Found in kiro-rs: google, demo@example.com, access token: good for 59 min" in result.err
    (entry,) = kiro.stored()
    assert (entry["id"], entry["priority"], entry["userId"]) == (1, 3, "d-simulated.demo")
    assert entry["refreshToken"] != demo["refreshToken"]  # checked with one refresh
    assert kiro.simulator.counts["/refreshToken"] == 1
    assert kiro.path.stat().st_mode & 0o777 == 0o600


def test_without_checking_nothing_is_sent(kiro: Kiro) -> None:
    demo = kiro.simulator.credential_json("demo")
    result = kiro("import-token", "--no-verify", "--json", put(kiro, demo))
    assert json.loads(result.out) == [{"id": 1, "email": "demo@example.com", "result": "imported", "cause": None}]
    assert kiro.stored()[0]["refreshToken"] == demo["refreshToken"]
    assert kiro.simulator.counts == {}


def test_a_bare_refresh_token_on_stdin(kiro: Kiro) -> None:
    token = str(kiro.simulator.credential_json("demo")["refreshToken"])
    result = kiro("import-token", "-", stdin=f"{token}\n")
    assert result.code == 0
    assert "Found in token: social, no access token yet" in result.err
    assert kiro.stored()[0]["email"] == "demo@example.com"


def test_a_refused_api_key_is_not_stored(kiro: Kiro) -> None:
    bogus = "ksk_bogus_key_12345678901"
    result = kiro("import-token", "-", stdin=bogus)
    assert result.code == 1
    assert "It was not imported. The service does not accept this API key. Check it, or create a new one." in result.err
    assert bogus not in result.out + result.err
    assert kiro.stored() == []
    assert kiro("import-token", "-", "--no-verify", stdin=bogus).code == 0
    again = kiro("import-token", "-", stdin=bogus)
    assert (again.code, "not imported" in again.err, len(kiro.stored())) == (1, False, 1)


def test_an_api_key_that_nobody_could_look_at_is_stored(kiro: Kiro) -> None:
    for _ in range(4):
        kiro.simulator.fail_next("/getUsageLimits", 503)
    result = kiro("import-token", "-", stdin="ksk_simulated_demo_key")
    assert (result.code, len(kiro.stored())) == (0, 1)
    assert "could not be asked for" in result.err


def test_a_locked_account_is_stored_as_such(kiro: Kiro) -> None:
    kiro.simulator.accounts["demo"].suspended = True
    path = put(kiro, kiro.simulator.credential_json("demo"))
    assert kiro("import-token", path).code == 0
    assert json.loads(kiro("accounts", "list", "--json").out)[0]["state"] == "suspended"


def test_an_api_key_is_not_refreshed(kiro: Kiro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIRO_API_KEY", "ksk_simulated_demo_key")
    result = kiro("import-token", "--from", "api-key")
    assert result.code == 0
    assert result.out == "#1 key@example.com KIRO PRO: imported, api-key\n"
    assert kiro.stored()[0]["authMethod"] == "api_key"
    assert dict(kiro.simulator.counts) == {"/getUsageLimits": 1}
    assert "these tokens are there already" in kiro("import-token", "--from", "api-key").out
    assert len(kiro.stored()) == 1


def test_the_ides_cache(kiro: Kiro) -> None:
    folder = ide_cache(kiro)
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    result = kiro("import-token", "--from", "kiro-ide")
    assert result.code == 0
    assert result.out == "#1 builder@example.com KIRO FREE: imported, builder-id\n"
    assert "note: Kiro IDE uses the same login" in result.err
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before
    # The cache still holds the token that was spent by the check. To send it again would revoke the login.
    again = kiro("import-token", str(folder))
    assert again.code == 0
    assert "have been replaced by newer ones since; nothing to do" in again.out
    assert kiro.simulator.reuses == 0
    assert kiro("refresh", "--all").code == 0


def test_kiro_clis_database(kiro: Kiro) -> None:
    cli_database(kiro)
    result = kiro("import-token", "--from", "kiro-cli")
    assert result.code == 0
    assert "#1 demo@example.com" in result.out
    assert "note: kiro-cli uses the same login" in result.err


def test_an_export_with_good_and_bad_accounts(kiro: Kiro) -> None:
    demo, builder = kiro.simulator.credential_json("demo"), kiro.simulator.credential_json("builder")
    secrets = {name: builder[name] for name in ("refreshToken", "clientId", "clientSecret", "region")}
    export = {
        "version": "1",
        "accounts": [
            {"email": "demo@example.com", "credentials": {"refreshToken": demo["refreshToken"], "provider": "Google"}},
            {"email": "gone@example.com", "credentials": {"refreshToken": SPENT, "provider": "Google"}},
            {"email": "cut@example.com", "credentials": {"refreshToken": "aorAAAAAGcut...", "provider": "Google"}},
            {"email": "builder@example.com", "credentials": secrets},
            {"email": "none@example.com"},
        ],
    }  # fmt: skip
    result = kiro("import-token", put(kiro, export))
    assert result.code == 6
    assert [line.split()[1] for line in result.out.splitlines()] == ["demo@example.com", "builder@example.com"]
    assert "left out: none@example.com has no refresh token." in result.err
    assert "error: It was not imported. The token service no longer accepts the refresh token" in result.err
    assert "error: refreshToken has been truncated (15 characters). Copy the whole token" in result.err
    assert [entry["email"] for entry in kiro.stored()] == ["demo@example.com", "builder@example.com"]


def test_another_login_of_a_known_account_replaces_its_tokens(kiro: Kiro) -> None:
    kiro("import-token", put(kiro, kiro.simulator.credential_json("demo")))
    kiro("accounts", "rename", "1", "mine")
    before = kiro.stored()[0]["refreshToken"]
    token = str(kiro.simulator.credential_json("demo")["refreshToken"])
    result = kiro("import-token", "-", stdin=token)
    assert result.code == 0
    assert result.out == (
        "#1 mine (demo@example.com) KIRO PRO+: the account was there already, its tokens are replaced\n"
    )
    (entry,) = kiro.stored()
    assert entry["refreshToken"] not in (before, token)
    assert kiro("refresh", "--all").code == 0


def test_a_disabled_entry_stays_disabled(kiro: Kiro) -> None:
    result = kiro("import-token", put(kiro, kiro.simulator.credential_json("demo", disabled=True)))
    assert result.code == 0
    assert "#1 demo@example.com is disabled" in result.err


def test_tokens_that_cannot_be_checked_are_kept(kiro: Kiro) -> None:
    demo = kiro.simulator.credential_json("demo")
    kiro.simulator.fail_next("/refreshToken", 503, times=9)
    result = kiro("import-token", put(kiro, demo))
    assert result.code == 1
    assert "error: #1 demo@example.com: It is stored, but could not be checked" in result.err
    assert "`kiro-rs-py refresh --id 1`" in result.err
    assert kiro.stored()[0]["refreshToken"] == demo["refreshToken"]


def test_refused_tokens_that_were_there_already_stay(kiro: Kiro) -> None:
    demo = kiro.simulator.credential_json("demo")
    kiro("import-token", "--no-verify", put(kiro, demo))
    kiro.simulator.grants.revoke(kiro.simulator.accounts["demo"])
    result = kiro("import-token", put(kiro, demo))
    assert result.code == 1
    assert "not imported" not in result.err
    assert len(kiro.stored()) == 1


@pytest.mark.parametrize(
    ("content", "args", "code", "words"),
    [
        (None, [], 4, "export.json cannot be read: No such file or directory. Check the path."),
        ('{"accounts": ', [], 4, "neither a token nor JSON (Expecting value at line 1"),
        ("{}", [], 4, "This JSON holds no Kiro account."),
        ("aorAAAAAG" + "t" * 60 + "...", [], 4, "This refresh token is cut"),
        ("hunter2", [], 4, "This is no refresh token"),
        ("hunter2", ["--from", "api-key"], 4, "This is no API key"),
        (json.dumps({"refreshToken": SPENT, "authMethod": "pigeon", "id": 1}), [], 1, "authMethod is unknown"),
        (json.dumps({"refreshToken": SPENT, "region": "mars", "id": 1}), [], 1, "region is no AWS region"),
        (json.dumps({"refreshToken": SPENT, "authMethod": "idc", "id": 1}), [], 1, "clientSecret are both needed"),
        ("{}", ["--from", "carrier-pigeon"], 2, "kiro-ide"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(kiro: Kiro, content: str | None, args: list[str], code: int, words: str) -> None:
    path = str(kiro.home / "export.json") if content is None else put(kiro, content)
    result = kiro("import-token", path, *args)
    assert (result.code, words in result.err) == (code, True)
    assert "hint:" not in result.err
    assert "hunter2" not in result.err
    assert kiro.stored() == []


def test_without_a_terminal_nobody_is_asked(kiro: Kiro) -> None:
    nothing = kiro("import-token")
    assert nothing.code == 4
    assert "no Kiro IDE tokens, no kiro-cli database, no KIRO_API_KEY. Name a file" in nothing.err
    ide_cache(kiro)
    cli_database(kiro)
    result = kiro("import-token")
    assert result.code == 2
    assert "choose with --from kiro-ide or --from kiro-cli" in " ".join(result.err.split())
    assert kiro("import-token", "--from", "token").code == 2
    assert kiro("import-token", "--from", "kam").code == 2
    assert kiro.stored() == []


def test_choosing_on_a_terminal(kiro: Kiro) -> None:
    ide_cache(kiro)
    cli_database(kiro)
    with Terminal("import-token") as terminal:
        terminal.wait_for(r"1  Kiro IDE's tokens in \S+")
        terminal.wait_for(r"2  kiro-cli's database \S+")
        terminal.wait_for(r"\[1-3\] ")
        terminal.type("9")
        terminal.wait_for(r"(?s)\[1-3\].*\[1-3\] ")
        terminal.type("2")
        code, seen = terminal.end()
    assert code == 0
    assert "#1 demo@example.com KIRO PRO+: imported, google" in seen
    kiro.check_secrets(seen)


def test_a_hidden_prompt(kiro: Kiro) -> None:
    token = str(kiro.simulator.credential_json("demo")["refreshToken"])
    with Terminal("import-token") as terminal:
        terminal.wait_for(r"\[1-1\] ")
        terminal.type("1")
        terminal.wait_for(r"\(hidden\): ")
        terminal.type(token)
        code, seen = terminal.end()
    assert code == 0, seen
    kiro.check_secrets(seen)
    assert kiro.stored()[0]["email"] == "demo@example.com"


@pytest.mark.parametrize("answer", [None, "\x04"])
def test_leaving_the_question(kiro: Kiro, answer: str | None) -> None:
    with Terminal("import-token") as terminal:
        terminal.wait_for(r"\[1-1\] ")
        if answer is not None:
            terminal.press(answer)
        code, seen = terminal.end(signal.SIGINT if answer is None else None)
    assert code == 130
    assert "Traceback" not in seen
    assert seen.endswith("\n")


def test_leaving_the_hidden_prompt(kiro: Kiro) -> None:
    with Terminal("import-token", "--from", "token") as terminal:
        terminal.wait_for(r"\(hidden\): ")
        code, seen = terminal.end(signal.SIGINT)
    assert code == 130
    assert seen.endswith("(hidden): \r\n")
