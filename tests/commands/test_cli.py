"""The command line: help, unknown commands, three-line errors, exit codes."""

import pytest

from helpers import cli
from helpers.errors import CheckFailed, CourseError, EngineFailed, MissingError, UsageError


def test_first_screen_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    screen = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert f"  {name} " in screen


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert f"Example: {cli.COMMANDS[name].example}" in " ".join(capsys.readouterr().out.split())


def test_unknown_command_and_option_are_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["dokter"]) == 2
    assert cli.main(["doctor", "--jsn"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "there is no command 'dokter'"
    assert lines[-1] == "Next: ./course doctor --help"


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError, 2), (CheckFailed, 1), (MissingError, 3), (EngineFailed, 3), (CourseError, 1)]
)
def test_errors_print_three_lines_and_set_the_exit_code(
    error: type[CourseError], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str, arguments: object) -> int:
        raise error("it broke", "a reason", "./course doctor")

    monkeypatch.setattr(cli, "run_command", fail)
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().err == "it broke\nLikely cause: a reason\nNext: ./course doctor\n"
