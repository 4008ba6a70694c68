"""What Prometheus reads: each event that happened changes its own figure, and no other."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from voxwire.server.engine.admission import Kind
from voxwire.server.engine.messages import Stepped
from voxwire.server.metrics import Metrics


def figures(metrics: Metrics) -> dict[str, float]:
    """Return all of our samples as Prometheus would read them, by name and labels."""
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name.startswith("voxwire_")
    }


def changes(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if value != before.get(name, 0) and "_bucket" not in name
    }


def test_a_session_is_open_until_it_ends_and_counted_for_ever() -> None:
    metrics = Metrics()
    before = figures(metrics)
    metrics.session_opened(Kind.LIVE, "deepgram")
    assert changes(before, figures(metrics)) == {
        "voxwire_sessions_open deepgram live": 1,
        "voxwire_sessions_total deepgram live": 1,
    }
    metrics.session_ended(Kind.LIVE, "deepgram", "end")
    assert changes(before, figures(metrics)) == {
        "voxwire_sessions_total deepgram live": 1,
        "voxwire_sessions_ended_total end": 1,
    }


def test_each_thing_that_happens_has_its_figure() -> None:
    metrics = Metrics()
    before = figures(metrics)
    metrics.refused("unauthorized")
    metrics.warned("slow_reader")
    metrics.upload_ended("done")
    metrics.heard(Kind.UPLOAD, 12.5)
    metrics.first_delta(0.7)
    metrics.finalised(0.3)
    metrics.lagged(0.5)
    assert changes(before, figures(metrics)) == {
        "voxwire_refusals_total unauthorized": 1,
        "voxwire_warnings_total slow_reader": 1,
        "voxwire_uploads_total done": 1,
        "voxwire_audio_seconds_total upload": 12.5,
        "voxwire_first_delta_seconds_sum": 0.7,
        "voxwire_first_delta_seconds_count": 1,
        "voxwire_finalise_seconds_sum": 0.3,
        "voxwire_finalise_seconds_count": 1,
        "voxwire_lag_seconds_sum": 0.5,
        "voxwire_lag_seconds_count": 1,
    }


def test_a_step_tells_its_rows_its_time_and_how_long_its_audio_waited() -> None:
    metrics = Metrics()
    before = figures(metrics)
    metrics.stepped(Stepped(n_rows=3, n_positions=1, seconds=0.02, waited_s=0.05))
    metrics.stepped(Stepped(n_rows=1, n_positions=16, seconds=0.2, waited_s=None))
    assert changes(before, figures(metrics)) == {
        "voxwire_step_seconds_sum 1": 0.02,
        "voxwire_step_seconds_count 1": 1,
        "voxwire_step_seconds_sum 16": 0.2,
        "voxwire_step_seconds_count 16": 1,
        "voxwire_batch_rows_sum": 4,
        "voxwire_batch_rows_count": 2,
        "voxwire_queue_delay_seconds_sum": 0.05,
        "voxwire_queue_delay_seconds_count": 1,
    }


def test_steps_shorter_and_longer_than_a_position_fall_into_different_buckets() -> None:
    metrics = Metrics()
    for seconds in (0.079, 0.081):
        metrics.stepped(Stepped(n_rows=1, n_positions=1, seconds=seconds, waited_s=None))
    assert figures(metrics)["voxwire_step_seconds_bucket 0.08 1"] == 1


def test_slots_are_read_when_they_are_asked_for() -> None:
    metrics, used = Metrics(), [0]
    metrics.watch_capacity(lambda: used[0], lambda: 8 - used[0])
    used[0] = 3
    assert figures(metrics)["voxwire_slots used"] == 3
    assert figures(metrics)["voxwire_slots free"] == 5


def test_two_servers_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.refused("forbidden")
    assert "voxwire_refusals_total forbidden" not in figures(other)
