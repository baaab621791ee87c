"""The whole chain on a small sample world: once through, training twice, once with another seed."""

import json
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import mlflow
import numpy as np
import pytest

from hcf_spark.config import load_config
from hcf_spark.spark.tables import Tables
from hcf_spark.tracking.registry import CHALLENGER, CHAMPION, find_alias
from hcf_spark.tracking.run import connect
from jobs import roll_back, run_pipeline, train_model

pytestmark = pytest.mark.spark

MODELS = load_config().evaluation.models
FIGURES = {"recall_at_20", "ndcg_at_20", "auc", "average_precision", "precision", "recall"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return [
        f"output={tmp_path_factory.mktemp('pipeline') / 'out'}", "input.source=sample", "sample.companies=120",
        "sample.products=40", "sample.products_per_company=6", "sample.long_text_share=0", "train.max_epochs=3",
        "score.top_k=5", "evaluation.trials=2",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def config(settings):
    return load_config(overrides=settings)


def flags(settings):
    return [flag for setting in settings for flag in ("--set", setting)]


def read_metrics(config):
    return json.loads((Path(config.output) / "metrics.json").read_text())


def without_seconds(rows):
    return {name: {key: row[key] for key in row if not key.endswith("_seconds")} for name, row in rows.items()}


@pytest.fixture(scope="module")
def printed(spark, settings):
    """What a run of the chain prints at its end."""
    output = StringIO()
    with redirect_stdout(output):
        assert run_pipeline.main(flags(settings)) == 0
    return output.getvalue()


@pytest.fixture(scope="module")
def metrics(printed, config):
    return read_metrics(config)


@pytest.fixture(scope="module")
def again(metrics, settings, config):
    """The metrics of training once more on the same tables."""
    assert train_model.main(flags(settings)) == 0
    return read_metrics(config)


def test_metrics_have_the_shape_that_was_asked_for(metrics):
    assert metrics.keys() >= {"dataset", "models", "champion", "seed"}
    assert metrics["model"]["gate"]["promoted"]
    assert metrics["dataset"].keys() == {"companies", "products", "interactions", "density"}
    assert metrics["seed"] == 0
    names = list(metrics["models"])
    assert names[: len(MODELS)] == MODELS
    assert metrics["champion"] in names
    assert names[len(MODELS) :] in ([], [metrics["champion"]])
    for row in metrics["models"].values():
        assert row.keys() >= {"warm", "cold", "bpdm", "fit_seconds"}
        for part in ("warm", "cold"):
            assert row[part].keys() >= FIGURES
            assert all(0 <= row[part][figure] <= 1 for figure in FIGURES)
        assert row["bpdm"].keys() >= {"auc", "precision", "recall"}
        assert row["fit_seconds"] > 0


def test_dataset_is_what_the_matrix_holds(metrics, spark, config):
    matrix = Tables(spark, config).read("company_product", "")
    dataset = metrics["dataset"]
    assert dataset["interactions"] == matrix.count()
    assert dataset["companies"] == matrix.select("company_idx").distinct().count() <= 120
    assert dataset["products"] == Tables(spark, config).read("product_vocab", "").count() <= 40
    assert dataset["density"] == dataset["interactions"] / (dataset["companies"] * dataset["products"])


def test_the_end_of_the_run_is_a_table_and_where_things_are(printed, metrics, config):
    lines = [line for line in printed.splitlines() if line.strip()]
    *table, warm, cold, report, tables, store = lines[-len(metrics["models"]) - 6 :]
    assert [line.split()[0] for line in table[1:]] == list(metrics["models"])
    assert [line.split()[0] for line in table if line.endswith("<- champion")] == [metrics["champion"]]
    winners = metrics["winners"]["validation"]
    for regime, said in (("warm", warm), ("cold", cold)):
        kept = r"( \(here [a-z_]+( with a prior)?, as its guard decided\))?"
        assert re.match(f"{regime}: {re.escape(winners[regime])}{kept}, chosen by validation", said)
    assert Path(report.removeprefix("report:").strip()).read_text() != ""
    assert (Path(tables.removeprefix("tables:").split(" and ")[0].strip()) / "_delta_log").is_dir()
    assert f"sqlite:///{config.output}/mlflow.db" in store


def test_the_report_names_every_model_and_the_champion(metrics, config):
    report = (Path(config.output) / "report.html").read_text()
    for name in [*metrics["models"], metrics["champion"]]:
        assert name in report


def test_nothing_but_what_was_promised_is_left_behind(metrics, config):
    assert {path.name for path in Path(config.output).iterdir()} == {
        "report.html", "metrics.json", "communities.json", "tables", "snapshots", "mlflow.db", "mlartifacts",
    }  # fmt: skip


def test_the_registered_champion_gives_the_scores_of_the_table(metrics, spark, config):
    """Whole companies as a user has them, through the model of the registry, against ``company_scores``."""
    connect(config)
    tables = Tables(spark, config)
    scores = tables.read("company_scores", "").drop("scored_at").toPandas()
    assert find_alias("hcf_spark", CHAMPION) == find_alias("hcf_spark", CHALLENGER) == "1"
    assert set(scores["model_version"]) == {"1"}
    companies = tables.read("companies", "").select("company_id", "description").toPandas()
    used = tables.read("usage", "").toPandas().groupby("company_id")["product_id"].agg(list)
    companies["products"] = [used.get(company, []) for company in companies["company_id"]]
    answer = mlflow.pyfunc.load_model("models:/hcf_spark@champion").predict(companies)
    ranked = scores.sort_values("rank").groupby("company_id")
    products, values = ranked["product_id"].agg(list), ranked["score"].agg(list)
    for company, known, best, best_values in zip(
        companies["company_id"], companies["products"], answer["product_ids"], answer["scores"], strict=True
    ):
        assert len(best) == len(products[company]) == 5
        assert not set(best) & set(known)
        np.testing.assert_allclose(values[company], best_values, atol=1e-5)
        if np.diff(best_values).max() < -1e-5:  # else either order is right
            assert products[company] == best


def test_the_registered_champion_names_companies_that_do_not_use_a_product_yet(metrics, spark, config):
    """Not even where the use was hidden for the test."""
    connect(config)
    users = Tables(spark, config).read("usage", "").toPandas().groupby("product_id")["company_id"].agg(set)
    products = Tables(spark, config).read("product_vocab", "").toPandas()["product_id"]
    model = mlflow.pyfunc.load_model("models:/hcf_spark@champion")
    answer = model.predict(products.to_frame(), params={"task": "companies", "top_k": 100})
    package = Path(mlflow.artifacts.download_artifacts("models:/hcf_spark@champion")) / "artifacts" / "package"
    trained_on = set(json.loads((package / "package.json").read_text())["company_ids"])
    for product, companies in zip(products, answer["company_ids"], strict=True):
        assert set(companies) == trained_on - users[product]


def test_the_run_in_mlflow_knows_settings_curves_and_tables(metrics, spark, config):
    connect(config)
    client = mlflow.tracking.MlflowClient()
    version = client.get_model_version_by_alias("hcf_spark", "champion")
    run = client.get_run(version.run_id)
    assert run.data.params["train.max_epochs"] == "3"
    for name in ("dcf", "hcf"):
        assert [record.step for record in client.get_metric_history(run.info.run_id, f"{name}.epoch.loss")] == [1, 2, 3]
    assert run.data.metrics["ease.warm.ndcg_at_20"] == metrics["models"]["ease"]["warm"]["ndcg_at_20"]
    tables = Tables(spark, config)
    for name in ("companies", "usage", "company_product", "company_scores", "company_embeddings", "text_embeddings"):
        assert run.data.tags[f"table.{name}.version"] == str(tables.version(name))
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files >= {"report.html", "metrics.json", "settings.yml", "packages.json"}


def test_training_twice_gives_the_same_metrics_to_the_last_digit(metrics, again):
    assert without_seconds(again["models"]) == without_seconds(metrics["models"])
    for key in ("dataset", "champion", "winners", "seed"):
        assert again[key] == metrics[key]


def test_a_version_that_is_as_good_as_the_champion_takes_its_place(again, config):
    connect(config)
    assert find_alias("hcf_spark", CHAMPION) == find_alias("hcf_spark", CHALLENGER) == "2"
    tags = mlflow.tracking.MlflowClient().get_model_version("hcf_spark", "2").tags
    assert tags["gate_verdict"] == "promoted: passed 6 checks"
    for regime in ("warm", "cold"):
        nothing = {"other": "1", "difference": 0.0, "low": 0.0, "high": 0.0}
        assert json.loads(tags[f"gate_champion_{regime}"]) == nothing
    loaded = json.loads(tags["gate_load"])
    assert loaded["companies"] == 20
    assert loaded["farthest"] < 1e-4
    assert again["model"]["gate"]["promoted"]
    assert len(again["model"]["gate"]["checks"]) == 6


def test_the_same_model_again_has_the_same_vectors(again, config):
    connect(config)
    tags = mlflow.tracking.MlflowClient().get_model_version("hcf_spark", "2").tags
    assert tags["rotation_champion"] == "1"
    assert float(tags["rotation_mean_cosine"]) == pytest.approx(1.0, abs=1e-4)
    assert float(tags["rotation_relative_residual"]) < 1e-3


def test_rolling_back_is_one_command(again, settings, config, capsys):
    assert roll_back.main(flags(settings)) == 0
    assert find_alias("hcf_spark", CHAMPION) == "1"
    assert "champion of hcf_spark is version 1 again, no longer 2" in capsys.readouterr().out
    assert roll_back.main(flags(settings)) == 1
    assert "no version was champion before version 1" in capsys.readouterr().err


def test_communities_of_the_champion_are_tables_and_a_file(metrics, spark, config):
    tables = Tables(spark, config)
    members = tables.read("company_communities", "").toPandas()
    communities = tables.read("communities", "").toPandas()
    assert members["company_id"].is_unique
    assert members.groupby("community").size().to_dict() == communities.set_index("community")["size"].to_dict()
    assert set(members["model_version"]) == set(communities["model_version"]) == {"1"}
    facts = json.loads((Path(config.output) / "communities.json").read_text())
    assert facts["companies"] == len(members) > 100
    assert list(facts["groups"]) == ["industry"]
    assert facts["stability"]["resampling"].keys() == {"mean", "least"}
    connect(config)
    (run,) = mlflow.search_runs(filter_string="tags.mlflow.runName = 'find_communities'", output_format="list")
    assert run.data.metrics["communities.count"] == len(communities)


def test_another_seed_gives_other_metrics(again, settings, config):
    few = [*settings, "seed=1", "mlflow.gate=off", "evaluation.models=[popularity, ae]"]
    assert train_model.main(flags(few)) == 0
    changed = read_metrics(config)
    assert changed["seed"] == 1
    for name in ("popularity", "ae"):
        assert changed["models"][name]["warm"] != again["models"][name]["warm"]
