from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from services.scorer.settings import ModelSource, ScorerSettings


def test_a_model_is_named_by_its_folder_unless_a_name_is_given() -> None:
    assert ModelSource.parse("runs/demo/prm") == ModelSource("prm", Path("runs/demo/prm"))
    assert ModelSource.parse("small=runs/demo/prm") == ModelSource("small", Path("runs/demo/prm"))
    assert ModelSource.parse("runs/lr=1e-3/prm") == ModelSource("prm", Path("runs/lr=1e-3/prm"))


def test_models_come_from_the_environment_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_SCORER_MODELS", "a=/one, /two")
    assert ScorerSettings().models == (ModelSource("a", Path("/one")), ModelSource("two", Path("/two")))


def test_shared_settings_keep_their_names_beside_the_scorers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_API_KEYS", "k")
    monkeypatch.setenv("LINEWISE_SCORER_MAX_QUEUE", "7")
    settings = ScorerSettings()
    assert (settings.api_keys, settings.max_queue) == ((SecretStr("k"),), 7)


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two models are named prm"):
        ScorerSettings(models=["a/prm", "b/prm"])


def test_compiled_int8_is_refused() -> None:
    with pytest.raises(ValidationError, match="don't go together"):
        ScorerSettings(compile=True, dtype="int8")


def test_the_torch_side_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"DTYPE": "int8", "ALLOW_PREFIX_PASSES": "1", "MAX_BATCH_TOKENS": "512", "MAX_INPUT_TOKENS": "2048"}
    for name, value in fields.items():
        monkeypatch.setenv(f"LINEWISE_SCORER_{name}", value)
    settings = ScorerSettings()
    assert (settings.dtype, settings.allow_prefix_passes) == ("int8", True)
    assert (settings.max_batch_tokens, settings.max_input_tokens) == (512, 2048)
    assert ScorerSettings(compile=True, dtype="float32").compile


def test_a_templates_markers_and_ends_come_as_json_lists_without_empty_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_SCORER_ANSWER_MARKERS", '["ANSWER:\\n"]')
    monkeypatch.setenv("LINEWISE_SCORER_STOP_TEXTS", '["[stop]", ""]')
    with pytest.raises(ValidationError, match="stop_texts"):
        ScorerSettings()
    monkeypatch.setenv("LINEWISE_SCORER_STOP_TEXTS", '["[stop]"]')
    assert (ScorerSettings().answer_markers, ScorerSettings().stop_texts) == (("ANSWER:\n",), ("[stop]",))
