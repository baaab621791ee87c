import copy
import os

import pytest
import torch
from torch import nn

from hcf_spark.nn.checkpoint import load_tensors, optimizer_tensors, restore_optimizer, save_tensors


def make_pair(seed):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 2))
    return network, torch.optim.AdamW(network.parameters(), lr=0.05, weight_decay=0.1)


def train(network, optimizer, steps):
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        loss = (network(torch.randn(4, 3, generator=generator)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_training_goes_on_from_a_file_as_if_it_had_never_stopped(tmp_path):
    network, optimizer = make_pair(0)
    train(network, optimizer, range(5))
    save_tensors(tmp_path / "latest", network.state_dict() | optimizer_tensors(optimizer), {"step": 5})
    train(network, optimizer, range(5, 9))

    other, its_optimizer = make_pair(1)
    tensors, about = load_tensors(tmp_path / "latest")
    assert about == {"step": 5}
    other.load_state_dict({name: tensors[name] for name in other.state_dict()})
    restore_optimizer(its_optimizer, tensors)
    train(other, its_optimizer, range(5, 9))
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name])
    for name, value in optimizer_tensors(optimizer).items():
        assert torch.equal(value, optimizer_tensors(its_optimizer)[name])


def test_the_state_of_the_optimiser_matters(tmp_path):
    """The control of the test above: without it, training goes on otherwise."""
    network, optimizer = make_pair(0)
    train(network, optimizer, range(5))
    other, its_optimizer = make_pair(0)
    other.load_state_dict(copy.deepcopy(network.state_dict()))
    train(network, optimizer, range(5, 9))
    train(other, its_optimizer, range(5, 9))
    assert not torch.equal(network[0].weight, other[0].weight)


def test_tensors_and_description_come_back_as_they_were(tmp_path):
    tensors = {
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "long": torch.tensor([1, -1]),
        "scalar": torch.tensor(2.0, requires_grad=True),
        "empty": torch.zeros(0, 4),
    }
    about = {"epoch": 3, "score": float("-inf"), "history": [{"loss": 0.1}], "name": "Łódź"}
    save_tensors(tmp_path / "new" / "folder" / "file", tensors, about)
    found, described = load_tensors(tmp_path / "new" / "folder" / "file")
    assert described == about
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype
    assert os.listdir(tmp_path / "new" / "folder") == ["file"]


@pytest.mark.parametrize("cut", ["save_file", "replace"])
def test_a_write_that_is_cut_off_leaves_the_file_of_before(tmp_path, monkeypatch, cut):
    from hcf_spark.nn import checkpoint

    save_tensors(tmp_path / "file", {"a": torch.ones(2)}, {"epoch": 1})

    def killed(first, second, *rest):
        if cut == "save_file":
            second.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint if cut == "save_file" else os, cut, killed)
    with pytest.raises(KeyboardInterrupt):
        save_tensors(tmp_path / "file", {"a": torch.zeros(2)}, {"epoch": 2})
    tensors, about = load_tensors(tmp_path / "file")
    assert about == {"epoch": 1}
    assert tensors["a"].tolist() == [1, 1]
