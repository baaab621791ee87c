"""The encoder in Spark tasks: what comes back, whatever the texts and the partitions."""

import json

import numpy as np
import pytest
from pyspark.sql import functions as F
from tiny_bert import encoder_settings, save_tiny_bert

from hcf_spark.errors import ConfigError
from hcf_spark.spark.encode import ENCODED, cores_per_gpu, encode_texts, tasks_at_once
from hcf_spark.text.effort import Effort
from hcf_spark.text.spec import resolve_encoder

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return resolve_encoder(encoder_settings(save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")))


def test_encoded_texts_do_not_depend_on_partitions(spark, spec):
    texts = spark.createDataFrame([(f"h{i}", "cloud " * (i + 1)) for i in range(40)], "text_hash string, text string")
    vectors = {}
    for partitions in (1, 7):
        encoded = encode_texts(texts.repartition(partitions), spec)
        assert encoded.schema == ENCODED
        found = {row.text_hash: row for row in encoded.where("text_hash is not null").collect()}
        vectors[partitions] = np.array([found[f"h{i}"].embedding for i in range(40)])
        assert [found[f"h{i}"].n_tokens for i in range(40)] == list(range(1, 41))
    np.testing.assert_allclose(vectors[1], vectors[7], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors[1], axis=1), 1, rtol=1e-6)


def test_each_task_with_a_text_tells_its_effort_and_no_other_loads_a_model(spark, spec):
    """Partitions of two rows, of one, and of none."""
    texts = spark.range(3).select(F.concat(F.lit("h"), "id").alias("text_hash"), F.lit("cloud bank").alias("text"))
    two, one, none = (texts.where(f"text_hash {which}").coalesce(1) for which in ("< 'h2'", "= 'h2'", "> 'h2'"))
    spread = two.union(one).union(none)
    assert spread.rdd.getNumPartitions() == 3
    rows = encode_texts(spread, spec).collect()
    assert sorted(row.text_hash for row in rows if row.embedding) == ["h0", "h1", "h2"]
    efforts = [Effort(**json.loads(row.effort)) for row in rows if row.effort]
    assert sorted(effort.texts for effort in efforts) == [1, 2]
    for effort in efforts:
        assert (effort.tokens, effort.padded_tokens, effort.batch_tokens) == (4 * effort.texts, 4 * effort.texts, 64)
        assert 0 < effort.model_seconds < effort.total_seconds


def test_gpus_for_tasks_of_a_local_spark(spark, spec):
    texts = spark.createDataFrame([("h", "cloud")], "text_hash string, text string")
    with pytest.raises(ConfigError) as error:
        encode_texts(texts, spec, use_gpu=True)
    assert str(error.value) == (
        "encoder.use_gpu is true, but Spark runs as local[2], where no task can ask for a GPU: set it to false, "
        "or spark.master to a cluster that offers GPUs (local-cluster[1,CORES,MEGABYTES] is one on this machine)"
    )


def test_a_task_with_a_gpu_has_its_share_of_the_executors_cores():
    assert [cores_per_gpu(*size) for size in ((8, 2), (7, 2), (1, 4))] == [4, 3, 1]


def test_how_many_tasks_run_at_once():
    spark = FakeSpark({"spark.executor.cores": "8", "spark.executor.resource.gpu.amount": "2", "spark.task.cpus": "4"})
    assert tasks_at_once(spark, n_cores=24, use_gpu=True) == 3 * 2
    assert tasks_at_once(spark, n_cores=24, use_gpu=False) == 24 // 4
    assert tasks_at_once(FakeSpark({}), n_cores=24, use_gpu=False) == 24


class FakeSpark:
    def __init__(self, settings):
        self.conf = settings
