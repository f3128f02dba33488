from pathlib import Path

import pytest

from helpers.api.settings import Settings, UpstreamSettings, read_settings_file
from helpers.errors import CourseError, MissingError, UsageError


def test_an_upstream_is_a_name_and_urls() -> None:
    assert UpstreamSettings.parse("spark=http://a:1, http://b:2/v1") == UpstreamSettings(
        "spark", ("http://a:1", "http://b:2/v1")
    )


@pytest.mark.parametrize(
    "text", ["http://a:1", "=http://a:1", "a b=http://a:1", "x=", "x=ftp://a", "x=http://a:port", "x/y=http://a"]
)
def test_anything_else_is_wrong_use(text: str) -> None:
    with pytest.raises(UsageError):
        UpstreamSettings.parse(text)


def test_names_are_unique() -> None:
    one = UpstreamSettings("x", ("http://a:1",))
    with pytest.raises(UsageError):
        Settings((one, one))


def test_a_file_holds_everything(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        'database = "sqlite:///x"\n[upstreams.spark]\nurls = ["http://a:1"]\napi_key_variable = "K"\n'
        '[limits]\nmax_in_flight = 7\n[timeouts]\nfirst_token_s = 1.5\n[aliases]\n"gpt-4o" = "qwen"\n'
    )
    settings = Settings(**read_settings_file(file, {"K": "secret"}))
    assert settings.upstreams[0].api_key == "secret"
    assert "secret" not in repr(settings)
    assert (settings.limits.max_in_flight, settings.timeouts.first_token_s) == (7, 1.5)
    assert settings.aliases == {"gpt-4o": "qwen"}
    with pytest.raises(MissingError, match="K is not set"):
        read_settings_file(file, {})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("x", "TOML"),
        ("limit = 1", "limit"),
        ("[limits]\nmax_flight = 1", "max_flight"),
        ("[limits]\nmax_in_flight = -1", "max_in_flight"),
        ('[timeouts]\ntotal_s = "long"', "total_s"),
        ("[limits]\nmax_in_flight = true", "max_in_flight"),
        ("[upstreams.x]\nurl = []", "url"),
        ("[upstreams.x]\nurls = []", "no URL"),
        ('[upstreams.x]\nurls = "http://a:1"', "list"),
        ("[upstreams.x]\nurls = [1]", "text"),
        ('[upstreams]\nx = "http://a:1"', "table"),
        ("upstreams = 1", "table"),
        ("limits = 1", "table"),
        ("[aliases]\na = 1", "text"),
        ("database = 1", "text"),
        ("[limits]\nmax_in_flight = 0", "more than 0"),
        ("[timeouts]\nheartbeat_s = 0", "more than 0"),
        ("[limits]\nmax_waiting = -1", "at least 0"),
        ("[limits]\nmax_in_flight = 1.5", "whole"),
        ("[timeouts]\ntotal_s = inf", "total_s"),
        ("[timeouts]\ntotal_s = nan", "total_s"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    with pytest.raises(CourseError, match=word):
        read_settings_file(file, {})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_settings_file(tmp_path / "none.toml")
