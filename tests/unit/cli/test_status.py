"""What `linewise status` reads of a service's metrics."""

import subprocess
import sys

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from services.cli.status import gauges_in


def test_a_gauge_that_nothing_was_told_of_yet_is_left_out() -> None:
    registry = CollectorRegistry()
    Gauge("queued", "Programs that wait.", registry=registry).set(3)
    Gauge("entries", "Steps remembered, by model.", ["model"], registry=registry)
    assert gauges_in(generate_latest(registry).decode()) == {"queued": 3}


def test_it_needs_no_package_of_a_server() -> None:
    blocked = "import sys; sys.modules |= dict.fromkeys(('prometheus_client', 'fastapi', 'sqlalchemy', 'celery')); "
    asked = subprocess.run(
        [sys.executable, "-c", f"{blocked}import services.cli.status"], capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr
