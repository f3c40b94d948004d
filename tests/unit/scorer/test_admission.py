import pytest
from prometheus_client import CollectorRegistry

from services.kit.errors import OverloadedError, TooLargeError
from services.scorer.admission import Admission
from services.scorer.metrics import ScorerMetrics


def test_places_are_held_while_the_work_runs_and_given_back_after_a_failure(metrics: ScorerMetrics) -> None:
    admission = Admission(2, metrics)
    with pytest.raises(ZeroDivisionError), admission.take(2):
        with pytest.raises(OverloadedError), admission.take(1):
            pass
        _ = 1 / 0
    with admission.take(2):
        pass


def test_more_than_there_ever_are_is_too_large(metrics: ScorerMetrics) -> None:
    with pytest.raises(TooLargeError) as refusal, Admission(2, metrics).take(3):
        pass
    assert refusal.value.details == {"programs": 3, "max_programs": 2}


def test_depth_and_refusals_are_counted() -> None:
    registry = CollectorRegistry()
    admission = Admission(1, ScorerMetrics(registry))
    with admission.take(1):
        assert registry.get_sample_value("linewise_scorer_queue_depth") == 1
        with pytest.raises(OverloadedError), admission.take(1):
            pass
        assert isinstance(admission.refusal(), OverloadedError)
    assert admission.refusal() is None
    assert registry.get_sample_value("linewise_scorer_queue_depth") == 0
    assert registry.get_sample_value("linewise_scorer_refused_total") == 2
