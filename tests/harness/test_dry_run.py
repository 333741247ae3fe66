import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from earwitness.cli.dry_run import print_forecasts
from earwitness.harness import dry_run
from earwitness.harness.dry_run import Forecast, forecast
from earwitness.harness.session import Silent

GIB = 1 << 30


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_run_is_foreseen_from_one_item_and_nothing_stays(
    make_run: Any, engine: Any, box: Any, scoring: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "needs", lambda task: [])
    run = make_run(explainer_seeds=(0, 1))
    before = sorted(temporary.rglob("*"))
    (found,) = forecast([run], engine, Silent())
    assert [len(batch) for batch in box.batches] == [1]
    assert (found.items, found.forwards, found.backwards, found.explain_seconds) == (80, 3, 2, 0.5)
    assert (found.peak_bytes, found.download_bytes, found.notes) == (1024, 0, ())
    assert found.disk_bytes is not None
    assert found.disk_bytes > 1000
    assert found.score_seconds is not None
    assert found.seconds == pytest.approx(80 * (0.5 + found.score_seconds))
    assert sorted(temporary.rglob("*")) == before


def test_an_item_that_fails_is_said(
    make_run: Any, engine: Any, box: Any, scoring: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "needs", lambda task: [])
    box.behave = lambda item: "invalid"
    (found,) = forecast([make_run()], engine, Silent())
    assert found.notes == ("its first item invalid: TokenMap.weights must be finite",)


def test_what_is_not_here_is_named_with_what_is_known_without_it(make_run: Any, engine: Any, box: Any) -> None:
    (found,) = forecast([make_run()], engine, Silent())
    assert (found.forwards, found.seconds, found.download_bytes, box.opened) == (None, None, 0, 0)
    assert not found.download_known
    (note,) = found.notes
    assert note.startswith("not metered, weights model not here; known without: hours not measured; ")
    assert note.endswith("at most 100 forward equivalents and 5 CPU seconds an item")


def test_weights_are_fetched_at_four_bytes_a_parameter(make_run: Any) -> None:
    task = make_run().task
    card = task.card.model_copy(update={"needs": task.card.needs.model_copy(update={"parameters": GIB})})
    task.__dict__["card"] = card
    assert dry_run._download(task, ["weights model (not in the hub's cache)"]) == (4 * GIB, True)
    assert dry_run._download(task, ["weights model", "weights judges/one"]) == (4 * GIB, False)
    assert dry_run._download(task, ["data captions"]) == (0, False)
    assert dry_run._download(task, ["package audiocraft"]) == (0, True)


def test_a_table_says_what_all_items_cost_and_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    known = Forecast("a", "mine", 10, 3.0, 2.0, 0.5, 1.5, 1 << 20, 1 << 19)
    unknown = Forecast(
        "b", "mine", 4, download_bytes=5 << 20, download_known=False, notes=("not metered, weights m not here",)
    )
    print_forecasts([known, unknown], 2, json=False)
    said = capsys.readouterr()
    assert [cell.strip() for cell in said.out.splitlines()[3].strip("│").split("│")] == [
        *("a", "mine", "10", "30", "20", "5 s", "15 s", "1.0 MiB", "5.0 MiB", "0 MiB"),
    ]
    assert "5 MiB and more" in " ".join(said.out.replace("│", " ").split())
    assert "about 10 s with 2 workers, without 1 that could not be metered" in said.out
    assert said.err == "earwitness: mine on b: not metered, weights m not here\n"
    print_forecasts([known], 1, json=True)
    assert json.loads(capsys.readouterr().out)[0]["seconds"] == 20.0
