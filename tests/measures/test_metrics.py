"""The declaration of the metrics."""

from prometheus_client import CollectorRegistry, Histogram

from pipeline.metrics import DISPOSITIONS, FRAMES, METRICS, ORIGINS, REJECTED, REJECTIONS, births
from pipeline.verdicts import RULES


def test_names_are_unique_and_say_their_kind_and_unit() -> None:
    names = [one.name for one in METRICS]
    assert len(set(names)) == len(names)
    for one in METRICS:
        assert one.name.startswith("relay_")
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert one.help.endswith(".")
        assert bool(one.buckets) == (one.kind == "histogram")
        assert list(one.buckets) == sorted(one.buckets)


def test_every_series_that_is_never_absent_is_born_once_with_each_value_its_labels_can_have() -> None:
    born = [*births("worker"), *births("link", "a"), *births("vehicle", "b")]
    assert len(set(born)) == len(born)
    assert {one.metric for one in born} == {one for one in METRICS if not one.absent}
    for metric, labels in born:
        assert len(labels) == len(metric.labels)
    frames = [labels for metric, labels in born if metric is FRAMES]
    assert len(frames) == len(DISPOSITIONS) * len(ORIGINS)
    assert ("a", "bad", "fecf", "live") in frames
    assert [labels for metric, labels in born if metric is REJECTED] == [(reason,) for reason in REJECTIONS]
    assert {labels[1] for metric, labels in born if metric.labels == ("vehicle", "type", "origin")} == set(RULES)


def test_the_exporter_library_takes_every_histogram() -> None:
    for one in METRICS:
        if one.kind == "histogram":
            Histogram(one.name, one.help, one.labels, buckets=one.buckets, registry=CollectorRegistry())
