"""What a run of stage 1 did, in numbers."""

from dataclasses import asdict, dataclass, field

from hcf_spark.text.effort import Effort


@dataclass
class EmbedCounts:
    """What a run of stage 1 did.

    Attributes:
        n_texts: (company, source) pairs that have a text.
        n_distinct: different texts among them.
        n_encoded: texts that went through the model.
        n_reused: pairs whose vector was there already, or is that of an identical text.
        n_failed: pairs whose text the tokenizer could not read; they are in quarantine.
        n_deleted: vectors removed since their company has no text in that source any more.
        n_tokens: tokens of the texts that went through the model.
        n_commits: chunks that were committed.
        seconds: of the whole stage.
        effort: of all tasks together.
    """

    n_texts: int
    n_distinct: int
    n_encoded: int = 0
    n_reused: int = 0
    n_failed: int = 0
    n_deleted: int = 0
    n_tokens: int = 0
    n_commits: int = 0
    seconds: float = 0.0
    effort: Effort = field(default_factory=Effort)

    def to_metrics(self) -> dict[str, float]:
        """Everything by name, with the shares of the tasks' time, rates, and MFU where the device's peak is known."""
        effort, total = self.effort, self.effort.total_seconds or 1.0
        rates = {
            "task_tokens_per_second": effort.tokens / total,
            "padded_per_token": effort.padded_tokens / max(effort.tokens, 1),
            "share_in_model": effort.model_seconds / total,
            "share_tokenising": effort.tokenise_seconds / total,
            "share_waiting": effort.wait_seconds / total,
        }
        if effort.mfu is not None:
            rates["mfu"] = effort.mfu
        counts = {name: value for name, value in vars(self).items() if name != "effort"}
        return {**counts, **{f"effort.{name}": value for name, value in asdict(effort).items()}, **rates}

    def __str__(self) -> str:
        """Two lines for the log: what was done, and what it took."""
        done = (
            f"{self.n_texts:,} texts, {self.n_encoded:,} encoded ({self.n_tokens:,} tokens), {self.n_reused:,} reused, "
            f"{self.n_deleted:,} deleted, {self.n_failed:,} in quarantine, in {self.seconds:.1f} s"
        )
        if not self.n_encoded:
            return done
        rates, effort = self.to_metrics(), self.effort
        mfu = f", MFU {effort.mfu:.0%}" if effort.mfu is not None else ""
        return (
            f"{done}\n{effort.tokens:,} tokens with windows and special ones, {effort.padded_tokens:,} with padding; "
            f"{rates['task_tokens_per_second']:,.0f} tokens/s in each task{mfu}; "
            f"{rates['share_in_model']:.0%} of the time in the model, {rates['share_tokenising']:.0%} tokenising "
            f"beside it, {rates['share_waiting']:.0%} waiting; "
            f"model loaded in {effort.load_seconds:.1f} s over all tasks; "
            f"at most {effort.batch_tokens:,} tokens at once"
        )
