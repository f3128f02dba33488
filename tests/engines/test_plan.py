import json
import shlex

import pytest

from helpers.engines.plan import LaunchPlan, ServeConfig, close_match
from helpers.errors import UsageError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_num_seqs": 0}, "max_num_seqs cannot be 0"),
        ({"port": 99999}, "port cannot be 99999"),
        ({"port": -1}, "port cannot be -1"),
        ({"max_model_len": 0}, "max_model_len cannot be 0"),
        ({"threads": 0}, "threads cannot be 0"),
        ({"threads": 1.5}, "whole number"),
        ({"max_num_seqs": True}, "whole number"),
        ({"draft_tokens": 0}, "draft_tokens cannot be 0"),
        ({"precision": "fp16"}, "did you mean f16|did you mean fp8"),
        ({"speculation": "eagle"}, "did you mean eagle3"),
        ({"speculation": "draft"}, "needs a draft_model"),
        ({"draft_model": "course-draft"}, "speculation is none"),
        ({"max_modellen": 5}, "did you mean max_model_len"),
        ({"quantization": "f16"}, "did you mean precision"),
        ({"zzz": 1}, "there is no option 'zzz'\n"),
    ],
)
def test_bad_options_are_refused_with_a_way_on(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        ServeConfig.build(**options)
    assert caught.match(message)


def test_changed_names_what_was_asked_for() -> None:
    assert ServeConfig.build(precision="q8_0", port=0).changed() == {"precision": "q8_0"}


def test_a_plan_is_ready_for_json_and_for_a_terminal() -> None:
    plan = LaunchPlan(
        engine="fake",
        argv=("serve", "a model", "--flag"),
        env={"GREETING": "it's me"},
        files={"/tmp/x": "{}"},
        port=8000,
        urls={"api": "http://127.0.0.1:8000/v1"},
        notes=("a note",),
    )
    value = json.loads(json.dumps(plan.to_json()))
    assert list(value) == ["engine", "argv", "shell", "env", "files", "port", "urls", "notes"]
    assert shlex.split(value["shell"]) == ["GREETING=it's me", "serve", "a model", "--flag"]


def test_close_match_says_nothing_when_nothing_is_close() -> None:
    assert close_match("zzz", ["port"]) == ""
