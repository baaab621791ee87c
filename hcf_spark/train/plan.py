"""What one training run is to do, in plain values that travel to every process."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hcf_spark import __version__


@dataclass(frozen=True)
class TrainPlan:
    """One training run of the second stage.

    Attributes:
        snapshot: folder of the snapshot.
        folder: for checkpoints and the result, seen by every process.
        network: name of the model that is trained: hcf, dcf or text_dae.
        use_validation: keep validation companies and interactions out of training and stop early by them; else train on
            everything for ``epochs``.
        epochs: at most this many, or exactly, without validation.
        patience_steps: stop after so many steps without a better validation score, when an epoch ends; steps and not
            epochs, since those of small data are short.
        cutoff: K of the validation NDCG@K.
        max_judged: of all companies about so many are drawn by seed; it is measured on those with something held out.
        batch_companies: of all processes together.
        hidden_size, depth, dropout: of the network.
        learning_rate, weight_decay: of AdamW.
        company_l2: weight of the squared length of what a company vector adds to its start (hcf, dcf; so is depth).
        loss: its name (``nn.losses.make_loss``).
        huber_delta, positive_weight: of the loss.
        timeout_seconds: of a collective operation.
        use_gpu: train on a GPU for each process, else on the CPU even where there is a GPU.
        seed: of every random choice.
    """

    snapshot: str
    folder: str
    network: str
    use_validation: bool
    epochs: int
    patience_steps: int
    cutoff: int
    max_judged: int
    batch_companies: int
    hidden_size: int
    depth: int
    dropout: float
    learning_rate: float
    weight_decay: float
    company_l2: float
    loss: str
    huber_delta: float
    positive_weight: float
    timeout_seconds: int
    use_gpu: bool
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)

    def identity(self) -> str:
        """Names everything the weights of an epoch depend on: runs with the same identity may resume each other.

        With validation the number of epochs is not among it: a run may be taken further.
        """
        settings = {
            **self.to_dict(),
            "folder": None,
            "snapshot": Path(self.snapshot).name,
            "timeout_seconds": None,
            "epochs": None if self.use_validation else self.epochs,
            "code": __version__,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
