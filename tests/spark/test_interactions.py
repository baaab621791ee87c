"""build_matrix on a world small enough to know the answer."""

import shutil
from pathlib import Path

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from hcf_spark.config import load_config
from hcf_spark.errors import ConfigError, DataError
from hcf_spark.spark.interactions import INPUT_TABLES, MATRIX_TABLES, MatrixReport, build_matrix, read_checked
from hcf_spark.spark.tables import Tables

pytestmark = pytest.mark.spark

HELD_OUT = {"c4", "c7"}  # drawn with seed 0
COMPANIES = [*[(f"c{number}", f"Company {number}") for number in range(8)], ("c0", "Company 0"), (None, "Nobody")]
PRODUCTS = [*[(f"p{number}", f"Product {number}", "product") for number in range(1, 6)], ("k1", "Cloud", "capability")]
TRAINING_USAGE = [
    ("c0", "p1", 2.0, "both"),
    ("c0", "p2", None, "both"),
    ("c0", "p3", 1.0, "tag"),  # left out by usage_where
    ("c1", "p1", 1.0, "both"),
    ("c1", "p3", 1.0, "both"),
    ("c2", "p2", 1.0, "both"),
    ("c2", "p3", 1.0, "both"),
    ("c3", "p1", 1.0, "both"),
    ("c5", "p2", 1.0, "both"),
    ("c5", "p4", 1.0, "both"),  # nobody else's: sparse
    ("c6", "k1", 1.0, "both"),  # left out by products_where
    ("c9", "p1", 1.0, "both"),  # bad, as are the next two
    ("c1", "p9", 1.0, "both"),
    ("c1", "p2", 0.0, "both"),
]
HELD_OUT_USAGE = [
    ("c4", "p1", 1.0, "both"),
    ("c4", "p5", 1.0, "both"),
    ("c7", "p5", 1.0, "both"),
    ("c7", "p2", 3.0, "both"),
]
TRAINING_CELLS = [
    ("c0", "p1", 2.0), ("c0", "p2", 1.0), ("c1", "p1", 1.0), ("c1", "p3", 1.0), ("c2", "p2", 1.0), ("c2", "p3", 1.0),
    ("c3", "p1", 1.0), ("c5", "p2", 1.0),
]  # fmt: skip
CELLS = "company_id string, product_id string, weight double"


def settings_of(output, *more):
    return load_config(
        overrides=[
            f"output={output}", "input.products_where=kind = 'product'", "input.usage_where=evidence != 'tag'",
            "input.max_quarantined_share=0.5", "filter.min_companies_per_product=2", *more,
        ]
    )  # fmt: skip


def write_inputs(spark, tables, usage):
    tables.overwrite("companies", spark.createDataFrame(COMPANIES, "company_id string, name string"))
    tables.overwrite("products", spark.createDataFrame(PRODUCTS, "product_id string, name string, kind string"))
    types = "company_id string, product_id string, weight double, evidence string"
    tables.overwrite("usage", spark.createDataFrame(usage, types))


def cells_of(tables):
    """The matrix by the user's ids."""
    companies, products = tables.read("company_vocab", "x"), tables.read("product_vocab", "x")
    cells = tables.read("company_product", "x").join(companies, "company_idx").join(products, "product_idx")
    return sorted(tuple(row) for row in cells.select("company_id", "product_id", "weight").collect())


def rows_of(tables, name):
    return sorted(tuple(row) for row in tables.read(name, "x").collect())


@pytest.fixture(scope="module")
def world(spark, tmp_path_factory):
    """Input tables, the matrix built from them, and the report."""
    config = settings_of(tmp_path_factory.mktemp("world"))
    tables = Tables(spark, config)
    write_inputs(spark, tables, TRAINING_USAGE + HELD_OUT_USAGE)
    return config, tables, build_matrix(tables, config)


def test_company_vocabulary(spark, world):
    """All companies: first those in the matrix, then the one without a usable pair, last the held-out ones."""
    _, tables, _ = world
    vocab = tables.read("company_vocab", "x").toPandas().sort_values("company_idx")
    assert vocab.columns.tolist() == ["company_id", "company_idx", "held_out", "alike"]
    assert vocab["company_idx"].tolist() == list(range(8))
    assert set(vocab["company_id"][:5]) == {"c0", "c1", "c2", "c3", "c5"}
    assert vocab["company_id"].iloc[5] == "c6"
    assert set(vocab["company_id"][6:]) == HELD_OUT
    assert vocab["held_out"].tolist() == [False] * 6 + [True] * 2


def test_product_vocabulary(spark, world):
    """Neither a sparse product nor one that only held-out companies use is in it."""
    _, tables, _ = world
    vocab = tables.read("product_vocab", "x")
    expected = spark.createDataFrame(
        [(f"p{number}", f"Product {number}", None) for number in (1, 2, 3)],
        "product_id string, name string, category string",
    )
    assert_df_equality(vocab.drop("product_idx"), expected, ignore_row_order=True)
    assert sorted(row.product_idx for row in vocab.collect()) == [0, 1, 2]


def test_matrix(spark, world):
    """Held-out companies keep what they use of the vocabulary."""
    _, tables, _ = world
    assert cells_of(tables) == sorted([*TRAINING_CELLS, ("c4", "p1", 1.0), ("c7", "p2", 3.0)])
    assert tables.read("company_product", "x").dtypes == [
        ("company_idx", "bigint"), ("product_idx", "bigint"), ("weight", "double"), ("observed_at", "timestamp"),
    ]  # fmt: skip


def test_quarantine(world):
    """A pair of a product that is not chosen is neither bad nor used; a tag is not looked at."""
    _, tables, report = world
    found = [(row.source_table, row.key, row.rule) for row in tables.read("quarantine", "x").collect()]
    assert sorted(found, key=str) == [
        ("companies", "c0", "duplicate company_id"),
        ("companies", None, "company_id is null or empty"),
        ("usage", "c1 / p2", "weight is not a finite number above 0"),
        ("usage", "c1 / p9", "product_id is not in products"),
        ("usage", "c9 / p1", "company_id is not in companies"),
    ]
    assert report.quarantined == {
        "companies": {"company_id is null or empty": 1, "duplicate company_id": 1},
        "products": {},
        "usage": {
            "company_id is not in companies": 1,
            "product_id is not in products": 1,
            "weight is not a finite number above 0": 1,
        },
    }


def test_report(world):
    """Sizes are those of the training companies; the stamp of the tables holds the report."""
    _, tables, report = world
    assert [(size["step"], size["companies"], size["products"], size["interactions"]) for size in report.sizes] == [
        ("before the filter", 5, 4, 9),
        ("round 1: products with at least 2 companies", 5, 3, 8),
        ("round 1: companies with at least 1 products", 5, 3, 8),
        ("round 2: products with at least 2 companies", 5, 3, 8),
        ("round 2: companies with at least 1 products", 5, 3, 8),
    ]
    assert report.input_versions == {"companies": 0, "products": 0, "usage": 0}
    assert MatrixReport.from_stamp(tables.require_same_stamp(MATRIX_TABLES, "build_matrix")) == report


def test_a_killed_run_is_refused_and_held_out_companies_touch_neither_filter_nor_vocabulary(
    spark, world, tmp_path, monkeypatch
):
    """Over the tables of an older run: one run that is killed when it wrote one of three, and one that comes through.

    Held-out companies use everything all of a sudden, also what one training company uses and the filter dropped.
    """
    config, tables, report = world
    shutil.copytree(Path(config.output) / "tables", tmp_path / "tables")
    config = settings_of(tmp_path)
    later = Tables(spark, config)
    everything = [
        (company, f"p{number}", 9.0, "both")
        for company, most in (("c4", 5), ("c7", 4))
        for number in range(1, most + 1)
    ]  # not the same of both, or they would be copies of each other
    write_inputs(spark, later, TRAINING_USAGE + everything)
    overwrite = Tables.overwrite

    def killed(self, name, *more):
        if name == "product_vocab":
            raise KeyboardInterrupt
        overwrite(self, name, *more)

    with monkeypatch.context() as patched:
        patched.setattr(Tables, "overwrite", killed)
        with pytest.raises(KeyboardInterrupt):
            build_matrix(later, settings_of(tmp_path, "seed=1"))
    assert rows_of(later, "company_vocab") != rows_of(tables, "company_vocab")
    with pytest.raises(DataError) as caught:
        later.require_same_stamp(MATRIX_TABLES, "build_matrix")
    assert str(caught.value) == (
        "tables company_vocab, product_vocab, company_product come from different runs of build_matrix: "
        "run build_matrix again"
    )

    assert build_matrix(later, config).sizes == report.sizes
    assert rows_of(later, "company_vocab") == rows_of(tables, "company_vocab")
    assert rows_of(later, "product_vocab") == rows_of(tables, "product_vocab")
    cold = [(company, f"p{number}", 9.0) for company in sorted(HELD_OUT) for number in (1, 2, 3)]
    assert cells_of(later) == sorted(TRAINING_CELLS + cold)
    later_report = MatrixReport.from_stamp(later.require_same_stamp(MATRIX_TABLES, "build_matrix"))
    assert later_report.input_versions == {"companies": 1, "products": 1, "usage": 1}


def test_fewer_training_companies_leave_products_and_held_out_companies_as_they_are(spark, world, tmp_path):
    config, tables, _ = world
    shutil.copytree(Path(config.output) / "tables", tmp_path / "tables")
    fewer = Tables(spark, settings_of(tmp_path))
    build_matrix(fewer, settings_of(tmp_path, "split.train_share=0.5"))
    assert rows_of(fewer, "product_vocab") == rows_of(tables, "product_vocab")
    cells, all_cells = set(cells_of(fewer)), set(cells_of(tables))
    assert cells < all_cells
    assert {cell for cell in all_cells if cell[0] in HELD_OUT} < cells
    gone = {company for company, *_ in all_cells - cells}
    assert not gone & {company for company, *_ in cells}, "companies go as a whole"
    left = len({company for company, *_ in cells} - HELD_OUT)
    vocab = {row.company_id: row.company_idx for row in fewer.read("company_vocab", "x").collect()}
    assert max(vocab[company] for company, *_ in cells if company not in HELD_OUT) == left - 1


def test_reading_checks_pairs_against_all_companies_and_products(world):
    config, tables, _ = world
    narrow = load_config(overrides=[f"output={config.output}", "input.companies_where=company_id = 'c0'"])
    checked = read_checked(tables, narrow)
    assert list(checked) == list(INPUT_TABLES)
    assert checked["companies"].rows.count() == 2
    unknown = checked["usage"].bad.where(F.col("rule") == "company_id is not in companies")
    assert [row.key for row in unknown.collect()] == ["c9 / p1"]


def test_missing_inputs_and_wrong_conditions_are_told(spark, world, make_config):
    config, tables, _ = world
    empty = make_config()
    with pytest.raises(DataError) as caught:
        build_matrix(Tables(spark, empty), empty)
    location = Tables(spark, empty).location("companies")
    assert str(caught.value) == f"table companies not found at {location}: it is made by you or load_tables"
    with pytest.raises(ConfigError, match=r"^input\.usage_where: 'sort = 1' is no condition on columns company_id, "):
        read_checked(tables, settings_of(config.output, "input.usage_where=sort = 1"))
