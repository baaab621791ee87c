import json

import numpy as np
import pytest
from planted import planted
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from hcf_spark.communities.agreement import compare_with_groups
from hcf_spark.communities.detect import Landmarks, detect_communities
from hcf_spark.communities.facts import gather_facts, to_metrics
from hcf_spark.communities.rewired import AgainstChance


@pytest.fixture(scope="module")
def world():
    return planted((40, 30, 20))


def test_who_has_no_vector_is_in_no_community(world):
    group, vectors, _ = world
    with_gap = np.insert(vectors, 5, 0, axis=0)
    found = detect_communities(with_gap, neighbours=8, resolution=1.0, seed=0)
    assert found.rows.tolist() == [row for row in range(91) if row != 5]
    assert found.partition.labels.tolist() == group.tolist()


@pytest.mark.parametrize("vectors", [np.ones((5, 3), np.float32), np.zeros((5, 3), np.float32)])
def test_vectors_that_tell_nothing_give_no_communities(vectors):
    assert detect_communities(vectors, neighbours=8, resolution=1.0, seed=0) is None


def test_others_are_placed_where_their_nearest_are(world, tmp_path):
    group, vectors, _ = world
    landmarks = detect_communities(vectors[::2], neighbours=8, resolution=1.0, seed=0).landmarks
    landmarks.save(tmp_path / "new" / "landmarks.safetensors")
    loaded = Landmarks.load(tmp_path / "new" / "landmarks.safetensors")
    others = np.vstack([vectors[1::2], np.zeros((1, 8), np.float32)])
    assert loaded.place(others, neighbours=8).tolist() == [*group[1::2], -1]


def test_agreement_is_that_of_the_labels_behind_the_counts():
    counts = np.array([[6, 2, 0], [1, 1, 2], [0, 0, 0]])
    found = compare_with_groups(counts, ["bank", "farm", "shop"])
    labels = np.array([(row, column) for row in range(3) for column in range(3) for _ in range(counts[row, column])]).T
    assert found.adjusted_rand == pytest.approx(adjusted_rand_score(*labels))
    assert found.normalised_mutual_information == pytest.approx(normalized_mutual_info_score(*labels))
    assert found.largest == [("bank", 0.75), ("shop", 0.5), None]
    assert found.cut_across == [1]


def test_facts_can_be_written_as_json_and_followed_as_metrics(world):
    found = detect_communities(world[1], neighbours=8, resolution=1.0, seed=0)
    agreement = {"industry": compare_with_groups(np.diag([40, 30, 20]), ["bank", "farm", "shop"])}
    profiles = [{"community": number, "size": size} for number, size in enumerate((40, 30, 20))]
    facts = gather_facts(found, AgainstChance(0.6, [0.2, 0.3]), agreement, profiles)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["usage"] == {"modularity": 0.6, "rewired_mean": 0.25, "rewired_highest": 0.3}
    assert facts["stability"]["seeds"] == {"mean": 1.0, "least": 1.0}
    metrics = to_metrics(facts)
    assert (metrics["count"], metrics["industry_adjusted_rand"], metrics["rewired_modularity"]) == (3, 1.0, 0.25)
