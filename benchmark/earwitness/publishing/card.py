"""The card of a dataset of results: what it holds, what its columns are, how to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from earwitness.cli.output import one_line_of
from earwitness.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERYTHING = "all"
"""Config with the rows of every run."""
COLUMNS = {
    "submission": "id of the explainer",
    "submission_hash": "identity of the explainer on the task's track: its parameters, files and code",
    "task": "id of the task",
    "task_version": "version of the task's card",
    "task_hash": "identity of what was explained: model, items, budget and their code; with the seeds of other draws",
    "metric": "id of the metric, its parameters included",
    "metric_hash": "identity of what was measured: the metric, its judge and their code",
    "item": "the input that was explained",
    "cluster": "items of one cluster are not independent; intervals resample clusters",
    "generation_seed": "seed of what the model generated",
    "explainer_seed": "seed that the explainer was given",
    "value": "the metric's value; null where there is none",
    "status": "ok, failed, timed_out, invalid or skipped; a failed item ranks at the random floor and is never dropped",
    "reason": "why the status is not ok",
    "seconds": "CPU seconds of the item's explanation",
    "forwards": "forward passes of the model that it took",
    "backwards": "backward passes",
    "peak_bytes": "largest memory",
    "isolation": "what the explainer ran in; `explanations` where no code was run",
    "run": "name of the run, whose recipe is `runs/<run>/run.json`",
    "metering": "who counted the passes; `unverified` where nobody here saw the cost, which stands as 0",
    "plausible_forwards": "forward passes that the seconds leave room for; null where it was not asked",
}
"""Columns of rows, for people."""
CITATION = f"""@software{{earwitness,
  title   = {{Earwitness: a benchmark of explanations of audio generative models}},
  author  = {{{{The Earwitness developers}}}},
  version = {{{VERSION}}}
}}"""


@dataclass(frozen=True)
class Dataset:
    """What a card speaks of."""

    repository: str
    licence: str
    runs: tuple[str, ...]
    """Names of all runs in it, those of earlier pushes included."""
    recipes: dict[str, dict[str, Any]]
    """Of the runs of this push, by name."""
    explanations: bool = False
    """Whether some of the explanations are there, too."""

    @property
    def tasks(self) -> list[str]:
        """Ids of its tasks."""
        return sorted({run.partition("__")[0] for run in self.runs})


def card(dataset: Dataset) -> str:
    """The page of a dataset, with the header that the hub and `datasets` read."""
    header = {
        "license": dataset.licence.lower(),
        "pretty_name": f"Earwitness results: {dataset.repository}",
        "tags": ["earwitness", "benchmark", "explainability", "interpretability", "audio"],
        "configs": _configs(dataset.tasks),
    }
    front = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n" + "\n\n".join(_sections(dataset)) + "\n"


def _configs(tasks: Sequence[str]) -> list[dict[str, Any]]:
    every = {"config_name": EVERYTHING, "default": True, "data_files": "runs/*/rows/*.parquet"}
    return [every, *({"config_name": task, "data_files": f"runs/{task}__*/rows/*.parquet"} for task in tasks)]


def _sections(dataset: Dataset) -> list[str]:
    there = "`runs/<run>/explanations/*.safetensors`: the explanations." if dataset.explanations else ""
    return [
        f"# Earwitness results: {dataset.repository}",
        "How faithful explanations of audio generative models are, by the benchmark Earwitness: one row is one value "
        "of one metric for one item. Verdicts and ranks are not stored: they are made of rows.",
        f"`runs/<run>/rows/*.parquet`: rows. `runs/<run>/run.json`: the recipe that makes them again. {there}".strip(),
        "## Reading it",
        f'```python\nfrom datasets import load_dataset\n\nrows = load_dataset("{dataset.repository}", "{EVERYTHING}")'
        '["train"]\n```',
        f"A config for each task: {', '.join(f'`{task}`' for task in dataset.tasks)}. With the benchmark itself:",
        f"```console\n$ hf download --repo-type dataset {dataset.repository} --local-dir results\n"
        "$ earwitness board --runs results/runs\n$ earwitness verify results/runs/RUN\n```",
        "## Runs",
        _runs(dataset),
        "## Columns",
        _table(["column", "what it is"], [[f"`{name}`", said] for name, said in COLUMNS.items()]),
        "## Citation",
        f"```bibtex\n{CITATION}\n```",
        "Cite the papers of the methods and of the models, too: the recipes name them.",
    ]


def _runs(dataset: Dataset) -> str:
    records = []
    for name in dataset.runs:
        recipe = dataset.recipes.get(name)
        known = ["", "", ""]
        if recipe is not None:
            entrant = recipe.get("submission", {})
            card = entrant.get("card") or {}
            known = [str(card.get("title", "")), str(recipe.get("items", "")), str(entrant.get("source") or "")]
        records.append([f"`{name}`", *known])
    return _table(["run", "submission", "items", "from"], records)


def _table(columns: Sequence[str], records: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *records]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """A text as a cell: one line, in which nothing of a stranger's is markup."""
    return one_line_of(text).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")
