"""A job can have no server asked, and no secret sent, that the operator has not named."""

import pytest

from services.contracts import MixTeacher, OpenAITeacher, RulesTeacher, TeacherShare
from services.labeler.settings import LabelerSettings
from services.labeler.teachers import Allowed

ALLOWED = Allowed(("127.0.0.1", "::1", "api.deepseek.com", "gpu.example:8000"), ("DEEPSEEK_API_KEY",))


def teacher(base_url="http://127.0.0.1:1/v1", key=None):
    return OpenAITeacher(base_url=base_url, model="m", api_key_env=key)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://127.0.0.1:8080/v1",
        "http://[::1]/v1",
        "https://api.deepseek.com",
        "https://API.DeepSeek.com/beta",
        "http://gpu.example:8000/v1",
    ],
)
def test_named_servers_may_be_asked(base_url):
    assert ALLOWED.objection(teacher(base_url)) is None


@pytest.mark.parametrize(
    "base_url",
    [
        "http://169.254.169.254/latest",
        "http://localhost/v1",
        "http://0.0.0.0:8080/v1",
        "http://2130706433/v1",
        "http://127.1/v1",
        "http://gpu.example:9000/v1",
        "http://gpu.example/v1",
        "http://api.deepseek.com.evil.example/v1",
        "http://evil.example\\@127.0.0.1/v1",
        "http://127.0.0.1@evil.example/v1",
        "http://key@127.0.0.1/v1",
        "http://127.0.0.1/v1?key=1",
        "http://127.0.0.1/v1#x",
        "file:///etc/passwd",
        "unix://127.0.0.1/x",
        "127.0.0.1:80",
        "http://",
        "",
        "http://[::1/v1",
        "http://127.0.0.1:99999999/v1",
    ],
)
def test_no_other_server_may(base_url):
    assert ALLOWED.objection(teacher(base_url))


@pytest.mark.parametrize("name", ["LINEWISE_API_KEYS", "LINEWISE_DATABASE_URL", "PATH", "deepseek_api_key"])
def test_no_variable_is_read_that_is_not_named(name):
    assert name in ALLOWED.objection(teacher(key=name))
    assert ALLOWED.objection(teacher(key="DEEPSEEK_API_KEY")) is None


def test_a_mix_is_as_good_as_its_worst_teacher():
    def mix(*teachers):
        return MixTeacher(teachers=[TeacherShare(teacher=one, share=1) for one in teachers])

    assert ALLOWED.objection(mix(RulesTeacher(), teacher())) is None
    assert ALLOWED.objection(mix(RulesTeacher(), teacher("http://evil.example/v1")))


def test_lists_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("LINEWISE_LABELER_TEACHER_HOSTS", "a.example, b.example:8000")
    monkeypatch.setenv("LINEWISE_LABELER_TEACHER_KEY_NAMES", "")
    settings = LabelerSettings()
    assert settings.teacher_hosts == ("a.example", "b.example:8000")
    assert settings.teacher_key_names == ()
