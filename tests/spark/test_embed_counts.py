"""What a run of stage 1 tells at its end: to the log, and to MLflow."""

from contextlib import nullcontext

import mlflow
import pytest

from hcf_spark.spark.embed_counts import EmbedCounts
from hcf_spark.text.effort import Effort
from jobs import embed_companies as job


@pytest.fixture
def counts():
    effort = Effort(
        texts=3, text_tokens=80, tokens=100, padded_tokens=150, flops=6.0, total_seconds=4.0, model_seconds=3.0,
        tokenise_seconds=1.0, wait_seconds=0.2, load_seconds=7.0, batch_tokens=2_048, peak_flops=5.0,
    )  # fmt: skip
    return EmbedCounts(n_texts=5, n_distinct=4, n_encoded=3, n_reused=2, n_tokens=80, seconds=9.0, effort=effort)


RATES = {
    "task_tokens_per_second": 25.0, "padded_per_token": 1.5, "mfu": 0.3,
    "share_in_model": 0.75, "share_tokenising": 0.25, "share_waiting": 0.05,
}  # fmt: skip


def test_metrics_are_all_counts_and_what_they_make_of_the_tasks_time(counts):
    metrics = counts.to_metrics()
    assert {name: metrics[name] for name in RATES} == pytest.approx(RATES)
    assert (metrics["n_encoded"], metrics["seconds"]) == (3, 9.0)
    assert (metrics["effort.load_seconds"], metrics["effort.batch_tokens"]) == (7.0, 2_048)


def test_where_nothing_was_encoded_no_rate_is_asked_for():
    assert "mfu" not in EmbedCounts(n_texts=5, n_distinct=4).to_metrics()
    assert str(EmbedCounts(n_texts=5, n_distinct=4, n_reused=5, seconds=1.0)) == (
        "5 texts, 0 encoded (0 tokens), 5 reused, 0 deleted, 0 in quarantine, in 1.0 s"
    )


def test_the_log_has_the_final_budget_and_the_shares_of_time(counts):
    assert str(counts).splitlines() == [
        "5 texts, 3 encoded (80 tokens), 2 reused, 0 deleted, 0 in quarantine, in 9.0 s",
        "100 tokens with windows and special ones, 150 with padding; 25 tokens/s in each task, MFU 30%; "
        "75% of the time in the model, 25% tokenising beside it, 5% waiting; "
        "model loaded in 7.0 s over all tasks; at most 2,048 tokens at once",
    ]


def test_the_job_logs_them_to_mlflow(counts, make_config, monkeypatch):
    logged = {}
    monkeypatch.setattr(mlflow, "log_metrics", logged.update)
    monkeypatch.setattr(job, "tracked_run", lambda *_: nullcontext())
    monkeypatch.setattr(job, "Tables", lambda *_: FakeTables())
    monkeypatch.setattr(job, "read_company_texts", lambda *_: None)
    monkeypatch.setattr(job, "resolve_encoder", lambda _: None)
    monkeypatch.setattr(job, "embed_companies", lambda *_: counts)
    assert job.run(None, make_config()) is counts
    assert logged == {f"embed.{name}": value for name, value in counts.to_metrics().items()}


class FakeTables:
    def input_version(self, name):
        return 0
