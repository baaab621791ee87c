"""A BERT with two small random layers and a vocabulary of a few words: real code paths, no real weights."""

from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel, BertTokenizer

from hcf_spark.config import EncoderSettings, load_config

WORDS = [
    "cloud",
    "data",
    "bank",
    "shop",
    "care",
    "steel",
    "farm",
    "game",
    "we",
    "sell",
    "make",
    "##s",
    "a",
    "b",
    "c",
    "d",
]


def encoder_settings(model: Path | str, **changes: Any) -> EncoderSettings:
    """Settings for the small windows of a tiny BERT."""
    values = {**load_config().encoder.model_dump(), "overlap_tokens": 4, "batch_tokens": 64, "threads_per_task": 1}
    return EncoderSettings(**{**values, "model": str(model), **changes})


def save_tiny_bert(folder: Path, seed: int = 0, max_positions: int = 32) -> Path:
    """Write config, tokenizer and weights of a random encoder (D = 16) to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    BertTokenizer.from_pretrained(folder, model_max_length=max_positions).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=5 + len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=max_positions,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder
