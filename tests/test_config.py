"""Settings: layers, the refusal of unknown keys and wrong values, secrets."""

from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from hcf_spark.config import CONF_FOLDER, Config, FusedPart, load_config
from hcf_spark.errors import ConfigError
from hcf_spark.evaluation.fused import GUARD, IALS, OFFSET, PARTS, PRIOR

ROOT = Path(__file__).parents[1]


@pytest.fixture
def write(tmp_path):
    """Write a settings file and return its path."""

    def write(text, name="own.yml"):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write


def message_of(files=(), overrides=()):
    with pytest.raises(ConfigError) as caught:
        load_config(files, overrides)
    return str(caught.value)


def keys_of(model, prefix=""):
    """Dotted names of the settings in a model or a file."""
    items = model.items() if isinstance(model, dict) else ((k, f.annotation) for k, f in model.model_fields.items())
    for key, value in items:
        if (isinstance(value, type) and issubclass(value, BaseModel)) or (isinstance(value, dict) and value):
            yield from keys_of(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_base_yml_has_every_setting_and_no_other():
    base = yaml.safe_load((CONF_FOLDER / "base.yml").read_text(encoding="utf-8"))
    assert sorted(keys_of(base)) == sorted(keys_of(Config))


def test_base_yml_explains_every_setting():
    lines = (CONF_FOLDER / "base.yml").read_text(encoding="utf-8").splitlines()
    assert sum("#" in line for line in lines) > 20
    assert load_config().model_dump()["filter"] == {
        "min_product_density": 0.0, "min_companies_per_product": 3, "min_products_per_company": 1,
    }  # fmt: skip


@pytest.mark.parametrize("file", sorted(CONF_FOLDER.glob("*.yml")), ids=lambda file: file.name)
def test_each_packaged_file_is_accepted(file):
    assert isinstance(load_config([file]), Config)


def test_the_key_names_of_the_shared_data_sets_are_accepted(write):
    file = write(
        "input: {products_where: \"kind = 'product'\", usage_where: \"evidence != 'tag'\"}\n"
        "text: {columns: [description]}\n"
        "filter: {min_product_density: 0.01, min_companies_per_product: 4, min_products_per_company: 2}\n"
    )
    config = load_config([file])
    assert (config.input.products_where, config.input.usage_where) == ("kind = 'product'", "evidence != 'tag'")
    assert config.text.columns == ["description"]
    assert config.filter.model_dump() == {
        "min_product_density": 0.01, "min_companies_per_product": 4, "min_products_per_company": 2,
    }  # fmt: skip


def test_later_files_win_and_single_values_win_over_files(write):
    first = write("seed: 1\nscore: {top_k: 11}\nfilter: {min_companies_per_product: 7}\n", "first.yml")
    second = write("seed: 2\nscore: {top_k: 12}\n", "second.yml")
    config = load_config([first, second], ["seed=3", "seed=4"])
    assert (config.seed, config.score.top_k, config.filter.min_companies_per_product) == (4, 12, 7)
    assert load_config([second, first]).seed == 1


def test_free_mappings_are_merged_key_by_key(write):
    first = write("spark: {settings: {spark.a: 1, spark.b: x}}", "first.yml")
    second = write("spark: {settings: {spark.b: y}}", "second.yml")
    config = load_config([first, second], ["spark.settings.spark.c.d=true", "tables.names.usage=sales.crm.usage"])
    assert config.spark.settings == {"spark.a": 1, "spark.b": "y", "spark.c.d": True}
    assert config.tables.names == {"usage": "sales.crm.usage"}


def test_an_empty_file_changes_nothing(write):
    assert load_config([write("# nothing yet\n")]) == load_config()


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("input.usage_where=evidence != 'tag'", "evidence != 'tag'"),
        ("input.usage_where=a = 'b=c'", "a = 'b=c'"),
        ("input.usage_where=", None),
        ("input.usage_where=null", None),
    ],
)
def test_the_value_of_a_single_setting_starts_at_the_first_equals_sign(override, value):
    assert load_config(overrides=[override]).input.usage_where == value


def test_values_of_single_settings_are_yaml():
    config = load_config(
        overrides=["train.use_gpu=true", "text.columns=[a, b]", "split={cold_share: 0.3}", "train.learning_rate=1e-3"]
    )
    assert config.train.use_gpu is True
    assert config.text.columns == ["a", "b"]
    assert (config.split.cold_share, config.split.warm_share) == (0.3, 0.2)
    assert config.train.learning_rate == 0.001


def test_settings_cannot_be_changed_later():
    with pytest.raises(ValueError, match="frozen"):
        load_config().seed = 5


@pytest.mark.parametrize("override", ["seed", "=1", ""])
def test_a_single_setting_without_name_or_value_is_refused(override):
    assert message_of(overrides=[override]) == (
        f"--set {override!r}: write it as a.b=value, for example --set seed=1"
    )  # fmt: skip


def test_a_single_setting_that_is_not_yaml_is_refused():
    assert message_of(overrides=["seed=[1"]) == "--set 'seed=[1': the value is not YAML"


@pytest.mark.parametrize(
    ("text", "unknown", "near"),
    [
        ("sed: 1", "sed", "seed"),
        ("filters: {min_product_density: 0.1}", "filters", "filter"),
        ("filter: {min_company_per_product: 2}", "filter.min_company_per_product", "filter.min_companies_per_product"),
        ("input: {max_quarantined: 0.1}", "input.max_quarantined", "input.max_quarantined_share"),
        ("min_companies_per_product: 2", "min_companies_per_product", "filter.min_companies_per_product"),
        ("train: {top_k: 5}", "train.top_k", "score.top_k"),
        ("5: 1", "5", "output"),
    ],
)
def test_an_unknown_setting_in_a_file_names_the_nearest(write, text, unknown, near):
    file = write(text)
    message = message_of([file])
    assert message.startswith(f"unknown setting {unknown} in {file}; the nearest valid one is ")
    if unknown != "5":
        assert message.endswith(f" is {near}")


def test_an_unknown_single_setting_names_the_nearest():
    assert message_of(overrides=["encoder.batch_token=1"]) == (
        "unknown setting encoder.batch_token in --set; the nearest valid one is encoder.batch_tokens"
    )


def test_a_group_cannot_be_a_value(write):
    assert message_of(overrides=["filter=3"]) == "setting filter in --set is a group of settings, found 3"
    file = write("filter:\n")
    assert message_of([file]) == f"setting filter in {file} is a group of settings, found None"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("seed=x", "seed: input should be a valid integer, found 'x'"),
        ("seed=true", "seed: input should be a valid integer, found True"),
        ("seed=-1", "seed: input should be greater than or equal to 0, found -1"),
        ("seed.a=1", "seed: input should be a valid integer, found {'a': 1}"),
        ("split.cold_share=1", "split.cold_share: input should be less than 1, found 1"),
        ("split.cold_share=.nan", "split.cold_share: input should be a finite number, found nan"),
        ("text.columns=description", "text.columns: input should be a valid list, found 'description'"),
        ("input.source=parquet", "input.source: input should be 'tables', 'csv' or 'sample', found 'parquet'"),
        ("output=", "output: input should be a valid string, found None"),
        ("mlflow.gate=maybe", "mlflow.gate: input should be 'off', 'dry_run' or 'on', found 'maybe'"),
        ("train.processes=0", "train.processes: input should be greater than or equal to 1, found 0"),
        (
            "evaluation.models=[]",
            "evaluation.models: list should have at least 1 item after validation, not 0, found []",
        ),
        (
            "spark.settings={spark.x: [1]}",
            "spark.settings.spark.x: input should be a string, a number, true or false, found [1]",
        ),
    ],
)
def test_a_wrong_value_names_the_setting_and_what_was_found(override, problem):
    assert message_of(overrides=[override]) == f"wrong value in the settings: {problem}"


@pytest.mark.parametrize(
    ("written", "mode"), [("on", "on"), ("off", "off"), ("'off'", "off"), ("false", "off"), ("dry_run", "dry_run")]
)
def test_on_and_off_are_modes_of_the_gate_though_yaml_reads_them_as_true_and_false(written, mode):
    assert load_config(overrides=[f"mlflow.gate={written}"]).mlflow.gate == mode


def test_all_wrong_values_are_told_at_once():
    assert message_of(overrides=["seed=x", "score.top_k=0"]) == (
        "wrong value in the settings: seed: input should be a valid integer, found 'x'; "
        "score.top_k: input should be greater than or equal to 1, found 0"
    )


def test_an_unknown_table_name_is_refused():
    message = message_of(overrides=["tables.names.company=a.b.c"])
    assert message.startswith("wrong value in the settings: tables.names.company.[key]: input should be 'companies', ")
    assert message.endswith(", found 'company'")


def test_a_missing_file_is_refused(tmp_path):
    file = tmp_path / "none.yml"
    assert message_of([file]) == f"settings file {file}: No such file or directory; give an existing YAML file"
    assert message_of([tmp_path]) == f"settings file {tmp_path}: Is a directory; give an existing YAML file"


@pytest.mark.parametrize(("text", "kind"), [("- seed: 1", "list"), ("seed", "str"), ("3", "int")])
def test_a_file_that_is_no_mapping_is_refused(write, text, kind):
    file = write(text)
    assert message_of([file]) == f"settings file {file} holds a {kind}; it must be a mapping of settings"


def test_a_file_that_is_not_yaml_is_refused_in_one_line(write, tmp_path):
    file = write("seed: [1\nfilter: }")
    message = message_of([file])
    assert message.startswith(f"settings file {file} is not YAML: while parsing a flow sequence")
    assert "\n" not in message
    file.write_bytes(b"output: caf\xe9")
    assert message_of([file]).startswith(f"settings file {file} is not YAML: 'utf-8' codec can't decode byte 0xe9")


def test_parts_of_fused_can_be_left_out_but_for_what_newcomers_are_scored_by():
    parts = {*PARTS["warm"][1:], *PARTS["cold"], IALS, OFFSET, PRIOR, GUARD}
    assert set(get_args(FusedPart)) == parts
    for part in parts:
        assert load_config(overrides=[f"fused.left_out=[{part}]"]).fused.left_out == [part]
    assert message_of(overrides=["fused.left_out=[text_knn_words, neighbour_ridge]"]).startswith(
        "wrong value in the settings: fused: of text_knn_words and neighbour_ridge one should stay, found {"
    )
    assert "fused.left_out" in message_of(overrides=["fused.left_out=[ease_text_ials]"])


def test_sources_are_combined_in_a_known_way_or_one_of_them_is_taken():
    for combine in ("mean", "concatenate", "b"):
        assert load_config(overrides=["text.columns=[a, b]", f"text.combine={combine}"]).text.combine == combine
    assert message_of(overrides=["text.columns=[a, b]", "text.combine=c"]).startswith(
        "wrong value in the settings: text: combine should be mean, concatenate or one of columns, found {"
    )


def test_secrets_are_masked_in_the_logged_settings():
    config = load_config(
        overrides=[
            "mlflow.tracking_uri=postgresql://ann:pa55@db/mlflow",
            "spark.settings.spark.hadoop.fs.s3a.secret.key='{ab c}'",
            "spark.settings.spark.hadoop.fs.azure.account.key.me.dfs.core.windows.net=azure",
            "spark.settings.spark.authenticate.secret=12345",
            "spark.settings.spark.ui.enabled=false",
        ]
    )
    logged = yaml.safe_load(config.to_yaml())
    assert logged == config.to_masked()
    assert logged["mlflow"]["tracking_uri"] == "postgresql://ann:***@db/mlflow"
    assert logged["spark"]["settings"] == {
        "spark.hadoop.fs.s3a.secret.key": "***",
        "spark.hadoop.fs.azure.account.key.me.dfs.core.windows.net": "***",
        "spark.authenticate.secret": "***",
        "spark.ui.enabled": False,
    }
    assert logged["encoder"] == config.encoder.model_dump(), "the settings that end in _tokens are no secrets"
    assert config.spark.settings["spark.authenticate.secret"] == 12345, "the settings themselves stay as they are"


def test_a_wrong_value_of_a_secret_is_not_told():
    assert message_of(overrides=["spark.settings.fs.secret.key=[hush]"]) == (
        "wrong value in the settings: spark.settings.fs.secret.key: "
        "input should be a string, a number, true or false, found ***"
    )
