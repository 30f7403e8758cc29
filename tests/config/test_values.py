from __future__ import annotations

from pathlib import Path

import pytest

from kiro_rs_py.config import values
from kiro_rs_py.config.values import Kind, nearest, split_listen

HERE = Path("/etc/kiro")

GOOD: list[tuple[Kind, object, object]] = [
    (values.whole_number(0, 65_535), 0, 0),
    (values.whole_number(0, 65_535), 65_535, 65_535),
    (values.whole_number(0), 10**9, 10**9),
    (values.seconds(300), 25, 25.0),
    (values.seconds(300), 0.5, 0.5),
    (values.one_of("q", "runtime"), "q", "q"),
    (values.one_of("q", "runtime"), "", None),
    (values.text, "anything at all", "anything at all"),
    (values.text, "", None),
    (values.visible_text, "darwin#24.6.0", "darwin#24.6.0"),
    (values.suffix, "", ""),
    (values.suffix, "-think", "-think"),
    (values.host, "0.0.0.0", "0.0.0.0"),
    (values.host, "[::1]", "::1"),
    (values.host, "fe80::1%eth0", "fe80::1%eth0"),
    (values.listen, "127.0.0.1:8991", "127.0.0.1:8991"),
    (values.listen, "[::1]:0", "[::1]:0"),
    (values.listen, "localhost:65535", "localhost:65535"),
    (values.listen, "unix:/run/kiro/admin.sock", "unix:/run/kiro/admin.sock"),
    (values.listen, "unix:admin.sock", f"unix:{HERE / 'admin.sock'}"),
    (values.listen, "", None),
    (values.host, "", None),
    (values.region, "us-east-1", "us-east-1"),
    (values.region, "us-gov-west-1", "us-gov-west-1"),
    (values.region, "ap-southeast-10", "ap-southeast-10"),
    (values.region, "", None),
    (values.http_url, "https://a.example/x?y=1", "https://a.example/x?y=1"),
    (values.http_url, "", None),
    (values.base_url, "http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
    (values.base_url, "", None),
    (values.proxy_url, "socks5h://u:p@[::1]:1080", "socks5h://u:p@[::1]:1080"),
    (values.proxy_url, "", None),
    (values.strings, ["a", " b "], ("a", "b")),
    (values.strings, "a, b,,c", ("a", "b", "c")),
    (values.strings, [], ()),
    (values.origins, ["*", "https://app.example.com/"], ("*", "https://app.example.com")),
    (values.path, "credentials.json", HERE / "credentials.json"),
    (values.path, "/abs/credentials.json", Path("/abs/credentials.json")),
    (values.path, Path("x"), HERE / "x"),
    (values.path, "", None),
    (values.readable_file, "", None),
    (values.table, {"a": 1}, {"a": 1}),
]


@pytest.mark.parametrize(("kind", "given", "wanted"), GOOD)
def test_good_values(kind: Kind, given: object, wanted: object) -> None:
    assert kind.check(given, HERE) == wanted


BAD: list[tuple[Kind, object, str]] = [
    (values.listen, "127.0.0.1", "127.0.0.1:8991, or unix:"),
    (values.listen, "8991", "127.0.0.1:8991, or unix:"),
    (values.listen, "::1:8991", "127.0.0.1:8991, or unix:"),
    (values.listen, ":8991", "127.0.0.1:8991, or unix:"),
    (values.listen, "host:70000", "127.0.0.1:8991, or unix:"),
    (values.listen, "host:80x", "127.0.0.1:8991, or unix:"),
    (values.listen, "unix:", "127.0.0.1:8991, or unix:"),
    (values.listen, "host:８９９１", "127.0.0.1:8991, or unix:"),
    (values.listen, "unix:a\0b", "no NUL"),
    (values.listen, "http://a:80", "127.0.0.1:8991, or unix:"),
    (values.whole_number(0, 65_535), True, "not a boolean"),
    (values.whole_number(0, 65_535), "8080", 'not "8080"'),
    (values.whole_number(0, 65_535), 80.0, "not a number"),
    (values.whole_number(0, 65_535), 65_536, "from 0 to 65535, not 65536"),
    (values.whole_number(1), 0, "of 1 or more, not 0"),
    (values.seconds(300), True, "not a boolean"),
    (values.seconds(300), [], "not a list"),
    (values.seconds(300), 0, "above 0"),
    (values.seconds(300), 301, "at most 300"),
    (values.seconds(300), float("nan"), "above 0"),
    (values.seconds(300), 10**400, "at most 300"),
    (values.one_of("priority", "balanced"), "balansed", 'did you mean "balanced"?'),
    (values.one_of("priority", "balanced"), "zzz", 'priority, balanced, not "zzz"'),
    (values.one_of("priority", "balanced"), 3, "must be a string, not a number"),
    (values.visible_text, "two words", "without spaces"),
    (values.visible_text, "line\n", "without spaces or line breaks"),
    (values.visible_text, "ключ", "printable ASCII"),
    (values.suffix, " -x", "without spaces"),
    (values.host, "http://localhost", "without scheme"),
    (values.host, "a b", "host name"),
    (values.region, "US-EAST-1", "for example us-east-1"),
    (values.region, "useast1", "AWS region"),
    (values.region, "us-east-1\n", "AWS region"),
    (values.http_url, "ftp://a.example", "http:// or https://"),
    (values.http_url, "https://", "names a host"),
    (values.http_url, "https://a.example:99999", "names a host"),
    (values.http_url, "https://a.example/#x", "#fragment"),
    (values.http_url, "https://[", "names a host"),
    (values.base_url, "https://a.example/?x=1", "?query"),
    (values.proxy_url, "socks4://a.example", "socks5"),
    (values.proxy_url, "a.example:1080", "socks5"),
    (values.strings, [1], "non-empty strings"),
    (values.strings, [""], "non-empty strings"),
    (values.strings, {"a": 1}, "not a table"),
    (values.strings, None, "not NoneType"),
    (values.origins, ["https://a.example/path"], "must hold origins"),
    (values.origins, ["a.example"], "http:// or https://"),
    (values.path, 3, "must be a string"),
    (values.readable_file, "no-such-file.pem", "cannot be read"),
    (values.table, "x", "must be a table"),
]


@pytest.mark.parametrize(("kind", "given", "words"), BAD)
def test_bad_values_say_what_is_wanted(kind: Kind, given: object, words: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|names)") as raised:
        kind.check(given, HERE)
    assert words in str(raised.value)


def test_the_parts_of_an_address() -> None:
    assert split_listen("[::1]:8991") == ("::1", 8991)
    assert split_listen("localhost:0") == ("localhost", 0)
    assert split_listen("unix:/a/b.sock") == Path("/a/b.sock")


def test_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert values.path.check("~/c.json", HERE) == tmp_path / "c.json"


def test_unknown_home_folder_is_a_problem() -> None:
    with pytest.raises(ValueError, match="no home folder"):
        values.path.check("~no-such-user-here/c.json", HERE)


def test_readable_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    assert values.readable_file.check("ca.pem", tmp_path) == tmp_path / "ca.pem"


def test_proxy_passwords_are_never_repeated() -> None:
    with pytest.raises(ValueError, match="must be a URL") as raised:
        values.proxy_url.check("ftp://user:hunter2@host", HERE)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        (values.whole_number(0), "8080", 8080),
        (values.whole_number(0), "x", "x"),
        (values.seconds(9), "0.5", 0.5),
        (values.strings, "a,b", ["a", "b"]),
        (values.table, '{"a": 1}', {"a": 1}),
        (values.table, "{", "{"),
        (values.region, "us-east-1", "us-east-1"),
    ],
)
def test_environment_text(kind: Kind, text: str, wanted: object) -> None:
    assert kind.from_text(text) == wanted


def test_nearest_ignores_case_and_gives_up_on_strangers() -> None:
    assert nearest("APIKEY", ["apiKey", "port"]) == "apiKey"
    assert nearest("qqqq", ["apiKey", "port"]) is None
