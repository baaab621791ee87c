"""Which device, and what is done when its memory runs out."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_bert import encoder_settings, save_tiny_bert

from hcf_spark.errors import PlatformError
from hcf_spark.text.device import any_device, gpu_number, task_device
from hcf_spark.text.encoder import Encoder, load_encoder
from hcf_spark.text.spec import resolve_encoder

SHORT_OF_MEMORY = """
import resource, sys
import numpy as np
from hcf_spark.text.encoder import Encoder
from hcf_spark.text.spec import EncoderSpec

spec = EncoderSpec(**eval(sys.argv[1]))
encoder = Encoder(spec)
windows = encoder.reader.read(["cloud bank data " * 9] * 10) * 1_000
encoder.encode_windows(windows[:10])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 60_000_000, resource.RLIM_INFINITY))
vectors = encoder.encode_windows(windows).vectors
assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
assert np.allclose(vectors, vectors[0], atol=1e-5)
print(encoder.effort.batch_tokens)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


def test_the_budget_is_halved_until_memory_holds_a_batch(folder):
    spec = resolve_encoder(encoder_settings(folder, batch_tokens=300_000))
    command = [sys.executable, "-c", SHORT_OF_MEMORY, repr(vars(spec))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-3000:]
    assert 1_000 < int(done.stdout) < 300_000


def test_a_single_window_that_memory_does_not_hold(folder, monkeypatch):
    encoder = Encoder(resolve_encoder(encoder_settings(folder)))
    expected = encoder.encode(["cloud bank", "shop", "a b c d"]).vectors
    forward = encoder._forward

    def limited(most):
        def run(rows):
            if sum(map(len, rows)) > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(rows)

        return run

    monkeypatch.setattr(encoder, "_forward", limited(9))
    np.testing.assert_allclose(encoder.encode(["cloud bank", "shop", "a b c d"]).vectors, expected, atol=1e-6)
    assert encoder.effort.batch_tokens == 9
    monkeypatch.setattr(encoder, "_forward", limited(3))
    with pytest.raises(PlatformError) as error:
        encoder.encode(["cloud bank", "shop"])
    assert str(error.value) == (
        "a window of 4 tokens does not fit into the memory of cpu: "
        "lower encoder.max_tokens, or run fewer tasks there at once"
    )


def test_a_task_computes_on_the_gpu_that_spark_gave_it_and_on_no_other(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    assert task_device("6") == torch.device("cuda:2")
    assert task_device(None) == torch.device("cpu")
    assert any_device() == torch.device("cuda:0")


def test_a_task_without_a_gpu_loads_its_encoder_on_the_cpu(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert load_encoder(resolve_encoder(encoder_settings(folder)), None).device == torch.device("cpu")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        torch.AcceleratorError("CUDA error: out of memory"),
    ],
)
def test_words_for_too_little_memory(folder, monkeypatch, error):
    encoder = Encoder(resolve_encoder(encoder_settings(folder)))
    forward = encoder._forward

    def limited(rows):
        if len(rows) > 1:
            raise error
        return forward(rows)

    monkeypatch.setattr(encoder, "_forward", limited)
    assert np.isfinite(encoder.encode(["cloud bank", "shop"]).vectors).all()


def test_an_encoder_on_a_gpu_makes_it_the_process_own(folder, monkeypatch):
    chosen = []

    def choose(device):
        chosen.append(device)
        raise KeyboardInterrupt  # there is no GPU to go on with

    monkeypatch.setattr(torch.cuda, "set_device", choose)
    with pytest.raises(KeyboardInterrupt):
        Encoder(resolve_encoder(encoder_settings(folder)), torch.device("cuda:3"))
    assert chosen == [torch.device("cuda:3")]


def test_a_gpu_that_torch_does_not_see(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(PlatformError) as error:
        task_device("3")
    assert str(error.value) == (
        f"Spark gave this task GPU 3, but torch {torch.__version__} sees 0 GPUs: "
        "install a torch for CUDA on the workers, or set encoder.use_gpu to false"
    )


def test_numbers_of_gpus():
    cases = ("3", None), ("3", ""), ("3", "2,3"), ("0", "2,3"), ("GPU-b", "GPU-a,GPU-b")
    assert [gpu_number(*case) for case in cases] == [3, 3, 1, 0, 1]
    with pytest.raises(PlatformError) as error:
        gpu_number("GPU-b", None)
    assert str(error.value) == (
        "Spark gave this task GPU GPU-b, which is neither a number nor in CUDA_VISIBLE_DEVICES (not set): "
        "let spark.executor.resource.gpu.discoveryScript give numbers"
    )


def test_bf16_on_a_cpu_is_near_fp32():
    texts = ["Cloud monitoring for banks.", "We bake bread. " * 60, "Industrial valves, pumps and fittings since 1921"]
    exact, fast = (
        Encoder(resolve_encoder(encoder_settings("all-MiniLM-L6-v2", overlap_tokens=32, precision=precision)))
        for precision in ("float32", "bfloat16")
    )
    assert np.sum(exact.encode(texts).vectors * fast.encode(texts).vectors, axis=1).min() >= 0.999
