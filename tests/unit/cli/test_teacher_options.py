"""The teacher of `linewise label`, from options or from a file."""

import json

import pytest

from services.cli.errors import UsageError
from services.cli.teacher_options import allowances, read_teacher
from services.contracts import MixTeacher, OpenAITeacher, RolloutTeacher, RulesTeacher

MIX = {
    "kind": "mix",
    "teachers": [
        {"teacher": {"kind": "rules"}, "share": 3},
        {
            "teacher": {
                "kind": "openai",
                "base_url": "https://api.deepseek.com/v1",
                "model": "m",
                "api_key_env": "DEEPSEEK_API_KEY",
                "budget": {"prompt_price": 0.27},
            },
            "share": 1,
        },
        {"teacher": {"kind": "rollout", "base_url": "http://127.0.0.1:8000/v1", "model": "p"}, "share": 1},
    ],
}


def test_a_kind_is_completed_by_the_other_options():
    assert read_teacher("rules", None, None, None, None) == RulesTeacher()
    found = read_teacher("openai", "http://127.0.0.1:1/v1", "m", "KEY", 5)
    assert isinstance(found, OpenAITeacher)
    assert (found.base_url, found.model, found.api_key_env, found.budget.max_requests) == (
        "http://127.0.0.1:1/v1",
        "m",
        "KEY",
        5,
    )
    assert isinstance(read_teacher("rollout", "http://127.0.0.1:1/v1", "m", None, None), RolloutTeacher)


def test_a_file_tells_all_and_its_servers_and_keys_are_allowed(tmp_path):
    (tmp_path / "mix.json").write_text(json.dumps(MIX))
    found = read_teacher(str(tmp_path / "mix.json"), None, None, None, None)
    assert isinstance(found, MixTeacher)
    assert allowances(found) == {
        "LINEWISE_LABELER_TEACHER_HOSTS": "127.0.0.1,api.deepseek.com",
        "LINEWISE_LABELER_TEACHER_KEY_NAMES": "DEEPSEEK_API_KEY",
    }
    with pytest.raises(UsageError, match="leave out"):
        read_teacher(str(tmp_path / "mix.json"), None, "m", None, None)


def test_rules_need_no_allowance():
    assert not any(allowances(RulesTeacher()).values())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("openai", None, "m", None, None), "base_url: Field required"),
        (("openai", "http://x", None, None, None), "model: Field required"),
        (("rules", "http://x", None, None, None), "base_url: Extra inputs"),
        (("oracle", None, None, None, None), "'oracle'"),
        (("nowhere.json", None, None, None, None), "cannot be read"),
    ],
)
def test_what_is_missing_or_unknown_is_named(options, complaint):
    with pytest.raises(UsageError, match=complaint):
        read_teacher(*options)


def test_a_url_that_is_none_is_told():
    with pytest.raises(UsageError, match="URL is none"):
        allowances(read_teacher("openai", "http://[::1/v1", "m", None, None))
