"""Forward passes over windows of different lengths: padded to the longest, or packed without any padding."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface

from hcf_spark.text.device import to_device

PACKED = "hcf_packed"

Forward = Callable[[Sequence[np.ndarray]], tuple[torch.Tensor, np.ndarray]]
Attend = Callable[..., torch.Tensor]


def padded_forward(model: PreTrainedModel, padding: int) -> Forward:
    """Windows in, of (L,) int32 token ids each; out come (B * L, D) hidden states and where each window starts."""

    def forward(rows: Sequence[np.ndarray]) -> tuple[torch.Tensor, np.ndarray]:
        longest = max(map(len, rows))
        input_ids = np.full((len(rows), longest), padding, dtype=np.int64)
        mask = np.zeros_like(input_ids)
        for position, row in enumerate(rows):
            input_ids[position, : len(row)] = row
            mask[position, : len(row)] = 1
        tensors = (to_device(array, model.device) for array in (input_ids, mask))
        hidden = model(**dict(zip(("input_ids", "attention_mask"), tensors, strict=True))).last_hidden_state
        return hidden.flatten(0, 1), np.arange(len(rows)) * longest

    return forward


def packed_forward(model: PreTrainedModel, first_position: int, attend: Attend) -> Forward:
    """As ``padded_forward``, with (T, D) hidden states of the T real tokens; the model attends by ``attend``.

    Args:
        model: switched to packed attention from here on; where a layer attends to a part of a window only, ``forward``
            raises NotImplementedError.
        first_position: position id of a window's first token.
        attend: as ``torch.nn.attention.varlen.varlen_attn``.
    """

    def attention(
        module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
        attention_mask: torch.Tensor | None, scaling: float | None = None, *,
        cu_seq_lens_q: torch.Tensor, max_length_q: int, **others: Any,
    ) -> tuple[torch.Tensor, None]:  # fmt: skip
        if others.get("sliding_window") or getattr(module, "is_causal", False):
            raise NotImplementedError(f"{type(module).__name__} attends to a part of a window")
        heads = (states[0].transpose(0, 1) for states in (query, key, value))
        found = attend(*heads, cu_seq_lens_q, cu_seq_lens_q, max_length_q, max_length_q, scale=scaling)
        return found.unsqueeze(0), None

    AttentionInterface.register(PACKED, attention)
    AttentionMaskInterface.register(PACKED, lambda *positional, **named: None)
    model.set_attn_implementation(PACKED)

    def forward(rows: Sequence[np.ndarray]) -> tuple[torch.Tensor, np.ndarray]:
        lengths = np.array([len(row) for row in rows])
        ends = np.cumsum(lengths)
        starts = ends - lengths
        positions = np.arange(ends[-1]) - np.repeat(starts, lengths) + first_position
        limits = to_device(np.concatenate([[0], ends]).astype(np.int32), model.device)
        hidden = model(
            input_ids=to_device(np.concatenate(rows).astype(np.int64)[None], model.device),
            position_ids=to_device(positions[None], model.device),
            cu_seq_lens_q=limits, cu_seq_lens_k=limits, max_length_q=int(lengths.max()),
            max_length_k=int(lengths.max()),
        ).last_hidden_state  # fmt: skip
        return hidden[0], starts

    return forward
