"""The encoder alone, without Spark: MFU on real tokens by length profile and precision, and the drift of bf16.

make benchmark NAME=encoder [OUT=file]; where there is only torch and transformers: python benchmarks/encoder.py
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from transformers import BertConfig, BertModel, BertTokenizer

sys.path.insert(0, str(Path(__file__).parent.parent))

from hcf_spark.text.encoder import Encoder
from hcf_spark.text.quiet import quiet_transformers
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.text.stream import encode_stream

PROFILES = {  # tokens of a text, special ones not counted
    "sentences": lambda random, n: random.integers(8, 48, n),
    "382 each": lambda random, n: np.full(n, 382),
    "mixed": lambda random, n: np.clip(random.lognormal(4.5, 1.0, n), 4, 4_000).astype(int),
    "10-K": lambda random, n: random.integers(20_000, 60_000, n),
}
EXAMPLE_BATCH = 32
N_WORDS = 8_000


def save_bert_base(folder: Path) -> Path:
    """BERT-base with random weights and a vocabulary of made-up words: speed does not depend on what they mean."""
    folder.mkdir(parents=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*special, *words()]) + "\n", encoding="utf-8")
    BertTokenizer.from_pretrained(folder, model_max_length=512).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig()).save_pretrained(folder)
    return folder


def words() -> list[str]:
    """Distinct words of letters."""
    letters = "abcdefghijklmnopqrst"
    return [a + b + c + d for a in letters for b in letters for c in letters for d in "aeiou"][:N_WORDS]


def make_texts(profile: str, n_tokens: int) -> list[str]:
    """Texts of about so many tokens in all, a token a word."""
    random = np.random.default_rng(0)
    mean = PROFILES[profile](random, 1_000).mean()
    lengths = PROFILES[profile](random, max(int(n_tokens / mean), 1))
    vocabulary = np.array(words())
    return [" ".join(random.choice(vocabulary, length)) for length in lengths]


def settings(model: str, precision: str) -> SimpleNamespace:
    """As conf/base.yml has them; reading that takes libraries that may not be here."""
    return SimpleNamespace(
        model=model, max_tokens=None, overlap_tokens=32, pooling=None, normalize=None, prompt="passage", prefix=None,
        precision=precision, batch_tokens=None, threads_per_task=None,
    )  # fmt: skip


def run_ours(encoder: Encoder, texts: list[str]) -> tuple[np.ndarray, dict]:
    """Vectors, and speed end to end: tokenising and transfers included."""
    batches = ((range(start, start + 1_000), texts[start : start + 1_000]) for start in range(0, len(texts), 1_000))
    encoder.take_effort()
    vectors = np.concatenate([block.encoded.vectors for block in encode_stream(encoder, batches)])
    effort = encoder.take_effort()
    return vectors, {
        "seconds": effort.total_seconds,
        "texts_per_second": len(texts) / effort.total_seconds,
        "tokens_per_second": effort.tokens / effort.total_seconds,
        "padded_per_token": effort.padded_tokens / effort.tokens,
        "share_in_model": effort.model_seconds / effort.total_seconds,
        "mfu": effort.mfu,
        "batch_tokens": effort.batch_tokens,
    }


def run_example(encoder: Encoder, texts: list[str]) -> dict:
    """The usual way: batches of 32 in the order given, padded to the longest, cut after one window."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder.spec.folder)
    with quiet_transformers():
        model = AutoModel.from_pretrained(encoder.spec.folder, dtype=encoder.precision).to(encoder.device).eval()
    tokens = padded = 0
    start = time.perf_counter()
    for rows in (texts[first : first + EXAMPLE_BATCH] for first in range(0, len(texts), EXAMPLE_BATCH)):
        batch = tokenizer(
            rows, padding=True, truncation=True, max_length=encoder.spec.max_tokens, return_tensors="pt"
        ).to(encoder.device)
        with torch.inference_mode():
            mask = batch["attention_mask"].unsqueeze(-1)
            hidden = model(**batch).last_hidden_state
            ((hidden * mask).sum(1) / mask.sum(1)).float().cpu().numpy()
        tokens, padded = tokens + int(mask.sum()), padded + mask.numel()
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "texts_per_second": len(texts) / seconds,
        "tokens_per_second": tokens / seconds,
        "padded_per_token": padded / tokens,
    }


def compare(model: str, n_tokens: int) -> Iterator[dict]:
    """A row for each profile, precision and system; bf16 with its cosine to fp32."""
    encoders = {
        precision: Encoder(resolve_encoder(settings(model, precision))) for precision in ("float32", "bfloat16")
    }
    for encoder in encoders.values():
        encoder.encode(make_texts("mixed", n_tokens // 10))
    for profile in PROFILES:
        texts, exact = make_texts(profile, n_tokens), None
        for precision, encoder in encoders.items():
            vectors, speed = run_ours(encoder, texts)
            exact = vectors if exact is None else exact
            cosine = float(np.sum(vectors * exact, axis=1).min())
            yield {"profile": profile, "precision": precision, "system": "hcf_spark", **speed, "least_cosine": cosine}
            yield {
                "profile": profile, "precision": precision, "system": "padded example", **run_example(encoder, texts)
            }  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Print a table, and write it as JSON where --out says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="folder or hub name; BERT-base with random weights if not given")
    parser.add_argument("--tokens", type=int, help="of each profile; 20 million on a GPU, 20,000 on a CPU")
    parser.add_argument("--out")
    flags = parser.parse_args(argv)
    on_gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} threads"
    print(f"{device}, torch {torch.__version__}")
    columns = "seconds", "texts_per_second", "tokens_per_second", "padded_per_token", "share_in_model", "mfu"
    print(f"{'profile':10} {'precision':9} {'system':15}", *(f"{name:>18}" for name in (*columns, "least_cosine")))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        model = flags.model or str(save_bert_base(Path(folder) / "bert-base"))
        for row in compare(model, flags.tokens or (20_000_000 if on_gpu else 20_000)):
            rows.append(row)
            values = (row.get(name) for name in (*columns, "least_cosine"))
            shown = ("" if value is None else f"{value:,.4f}" if value < 10 else f"{value:,.0f}" for value in values)
            print(f"{row['profile']:10} {row['precision']:9} {row['system']:15}", *(f"{text:>18}" for text in shown))
    if flags.out:
        Path(flags.out).write_text(json.dumps({"device": device, "rows": rows}, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
