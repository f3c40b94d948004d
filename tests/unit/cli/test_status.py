"""What `linewise status` reads of a service's metrics."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from services.cli.status import gauges_in


def test_a_gauge_that_nothing_was_told_of_yet_is_left_out() -> None:
    registry = CollectorRegistry()
    Gauge("queued", "Programs that wait.", registry=registry).set(3)
    Gauge("entries", "Steps remembered, by model.", ["model"], registry=registry)
    assert gauges_in(generate_latest(registry).decode()) == {"queued": 3}
