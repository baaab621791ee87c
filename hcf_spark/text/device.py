"""What an encoder runs on: the device, its precision, and how many tokens at once fit it."""

import os

import numpy as np
import torch
from transformers import PretrainedConfig

from hcf_spark.errors import PlatformError

_CPU_TOKENS = 4_096
_GPU_TOKENS = 65_536
_DENSE_BF16_FLOPS = {  # per second, from NVIDIA's data sheets, without sparsity; the longest name that fits counts
    "H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "GH200": 989e12, "B200": 2250e12, "A100": 312e12,
    "A10": 125e12, "A30": 165e12, "A40": 150e12, "L4": 121e12, "L40": 181e12, "L40S": 362e12,
}  # fmt: skip


def any_device() -> torch.device:
    """The first GPU that torch sees, else the CPU."""
    return torch.device("cuda:0" if torch.cuda.device_count() else "cpu")


def task_device(gpu: str | None) -> torch.device:
    """The device of a Spark task.

    Args:
        gpu: address of the GPU that Spark gave to the task; None where it gave none: then the CPU, since a GPU that
            torch sees may be another task's.

    Raises:
        PlatformError: Spark gave a GPU, but torch does not see it, or its address tells nothing.
    """
    if gpu is None:
        return torch.device("cpu")
    n_gpus = torch.cuda.device_count()
    number = gpu_number(gpu, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if number >= n_gpus:
        raise PlatformError(
            f"Spark gave this task GPU {gpu}, but torch {torch.__version__} sees {n_gpus} GPUs: "
            "install a torch for CUDA on the workers, or set encoder.use_gpu to false"
        )
    return torch.device(f"cuda:{number}")


def gpu_number(address: str, visible: str | None) -> int:
    """Torch's number of the GPU with Spark's ``address``, where CUDA_VISIBLE_DEVICES is ``visible``.

    >>> gpu_number("3", None), gpu_number("3", "2,3"), gpu_number("0", "2,3")
    (3, 1, 0)

    Raises:
        PlatformError: the address is no number, and CUDA_VISIBLE_DEVICES does not have it.
    """
    shown = [entry.strip() for entry in (visible or "").split(",")]
    if address in shown:
        return shown.index(address)
    if not address.isdecimal():
        raise PlatformError(
            f"Spark gave this task GPU {address}, which is neither a number nor in CUDA_VISIBLE_DEVICES "
            f"({visible or 'not set'}): let spark.executor.resource.gpu.discoveryScript give numbers"
        )
    return int(address)


def to_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """The array on the device; to a GPU through pinned memory, so that nothing waits for the transfer."""
    tensor = torch.from_numpy(array)
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def default_precision(device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU that computes in it, else float32, whose vectors do not depend on the others in their batch."""
    fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.bfloat16 if fast else torch.float32


def default_batch_tokens(device: torch.device, config: PretrainedConfig, window: int, dtype: torch.dtype) -> int:
    """Tokens of a forward pass: more bring no speed (CPU) or little (GPU), and half the free memory holds them.

    A token takes at most ``itemsize * (8 * hidden + 2 * intermediate + heads * window)`` bytes in a layer: the states
    around attention, those of the feed-forward block, and its row of attention scores where these are kept.
    """
    if device.type == "cpu":
        return _CPU_TOKENS
    states = 8 * config.hidden_size + 2 * getattr(config, "intermediate_size", 4 * config.hidden_size)
    bytes_per_token = dtype.itemsize * (states + getattr(config, "num_attention_heads", 16) * window)
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return max(min(_GPU_TOKENS, free_bytes // 2 // bytes_per_token), window)


def peak_flops(device: torch.device) -> float | None:
    """Dense bf16 floating point operations per second of a GPU by its data sheet; None where not known."""
    if device.type == "cpu":
        return None
    name = torch.cuda.get_device_name(device).split()
    known = [model for model in _DENSE_BF16_FLOPS if set(model.split()) <= {*name, *_without_memory(name)}]
    return _DENSE_BF16_FLOPS[max(known, key=len)] if known else None


def _without_memory(name: list[str]) -> list[str]:
    """The parts of a name such as ``A100-SXM4-80GB``."""
    return [part for word in name for part in word.split("-")]
