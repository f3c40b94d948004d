"""Every expected exception becomes a sentence and an exit code; an unexpected one does not."""

from pathlib import Path

import pytest

from services.cli.errors import FailedError, UsageError
from services.cli.failures import sentence_and_code
from services.client import OverloadedError, RequestError, UnreachableError
from services.kit.errors import StartupError
from services.kit.settings import ServiceSettings
from trainer.errors import PolicyError
from trainer.problems import ProblemFileError


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (FailedError("the job failed."), "the job failed.", 1),
        (UsageError("a port is in use."), "a port is in use.", 2),
        (StartupError("no such checkpoint"), "no such checkpoint.", 2),
        (OverloadedError("the queue stayed full"), "the queue stayed full.", 2),
        (RequestError(404, "no_model", "there is no such model"), "no_model (404): there is no such model.", 2),
        (PolicyError("there is no checkpoint"), "there is no checkpoint.", 2),
        (ProblemFileError(Path("p.jsonl"), 3, "not valid JSON"), "p.jsonl, line 3: not valid JSON.", 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_room_expects_is_said_in_its_words(error, sentence, code):
    assert sentence_and_code(error) == (sentence, code)


def test_a_service_that_is_not_there_comes_with_advice():
    assert "linewise up" in sentence_and_code(UnreachableError("no answer"))[0]


def test_a_package_that_is_not_installed_is_named_with_the_extra():
    sentence, code = sentence_and_code(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert (code, "torch" in sentence, "linewise[" in sentence) == (2, True, True)


def test_a_setting_that_means_nothing_is_named(monkeypatch):
    monkeypatch.setenv("LINEWISE_DRAIN_S", "soon")
    with pytest.raises(ValueError) as refused:
        ServiceSettings()
    sentence, code = sentence_and_code(refused.value)
    assert code == 2
    assert sentence.startswith("LINEWISE_DRAIN_S: ")


@pytest.mark.parametrize("bug", [KeyError("x"), ModuleNotFoundError("gone", name="trainer.gone"), ZeroDivisionError()])
def test_a_bug_keeps_its_traceback(bug):
    assert sentence_and_code(bug) is None
