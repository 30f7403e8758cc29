from __future__ import annotations

from pathlib import Path

from kiro_rs_py.cli.checks.configuration import check_configuration
from tests.cli.checks.settings import GOOD_KEY, bad, inputs_in, write


def test_a_good_one(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", f'api_key = "{GOOD_KEY}"\n')
    found, settings = check_configuration(inputs_in(tmp_path))
    assert [finding.level for finding in found] == ["ok"]
    assert str(path) in found[0].message
    assert settings is not None


def test_none_at_all(tmp_path: Path) -> None:
    found, settings = check_configuration(inputs_in(tmp_path))
    assert settings is not None
    assert [finding.level for finding in bad(found)] == ["note", "error"]
    assert "api_key is missing" in found[1].message
    assert "config init" in found[1].fix


def test_every_mistake_is_a_line(tmp_path: Path) -> None:
    write(tmp_path / "config.json", '{"prot": 1, "region": "mars", "logFormat": "xml"}')
    found, settings = check_configuration(inputs_in(tmp_path))
    assert settings is None
    assert [finding.level for finding in bad(found)] == ["error"] * 3
    assert "did you mean" in found[0].message


def test_a_file_others_can_read(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", f'api_key = "{GOOD_KEY}"\n', 0o644)
    found, _ = check_configuration(inputs_in(tmp_path))
    (finding,) = bad(found)
    assert (finding.level, finding.topic) == ("error", "permissions")
    assert finding.fix == f"Run `chmod 600 {path}`."


def test_what_cannot_serve(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", 'api_key = "changeme"\nhost = "0.0.0.0"\n[models]\nalias = {}\n')
    found, _ = check_configuration(inputs_in(tmp_path, KIRO_RS_PROT="1"))
    levels = {finding.message.split()[0]: finding.level for finding in bad(found)}
    assert levels["api_key"] == "error"
    assert levels["The"] == "warning"
    assert [finding.level for finding in found if "models.alias" in finding.message] == ["error"]


def test_what_is_only_unwise(tmp_path: Path) -> None:
    write(tmp_path / "config.toml", f'api_key = "{GOOD_KEY}"\nadmin_api_key = "{GOOD_KEY}"\n')
    found, _ = check_configuration(inputs_in(tmp_path))
    assert [finding.level for finding in bad(found)] == ["warning"]
