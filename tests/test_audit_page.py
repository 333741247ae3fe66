"""docs/audits.md is what the stored audits say."""

from pathlib import Path

from earwitness import registry
from earwitness.board.audit_page import COLUMNS, page, row, section
from earwitness.results.audits import Against, Gamed, Gap, Ladder, MetricAudit, Shares, read_audit

PAGE = Path(__file__).parents[1] / "docs" / "audits.md"
FOUND = MetricAudit(
    informative=True,
    gap=Gap(mean=0.5, low=0.25, high=0.75, p=0.001, items=10, clusters=10),
    ladder=Ladder(means=1.0, items=0.5, low=None, high=None),
    reliability=None,
    shares=Shares(item=0.6, generation=None, explainer=0.4),
    truth=Against(value=0.5, low=-0.1, high=0.1, items=10),
    survival={"judge cnn": Against(value=0.9, low=-0.2, high=0.2)},
    gaming={"half": Gamed(calibrated=0.1), "ones": Gamed(calibrated=0.3), "size": Gamed(calibrated=None)},
    flags=["gameable: ones (all of the weight everywhere) is ahead of random weights, .30 of the way to its ceiling"],
)


def test_the_page_is_what_is_stored() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it anew: python -m earwitness.board.audit_page > docs/audits.md"
    )


def test_every_audit_is_of_its_tasks_weights_and_items() -> None:
    tasks = [registry.task(name) for name in registry.task_ids()]
    audits = [(task, audit) for task in tasks if (audit := read_audit(task.folder / "truth")) is not None]
    assert audits
    assert [task.id for task, audit in audits if audit.data_hash != task.data_hash] == []


def test_an_audit_of_a_former_version_says_so_and_keeps_its_metrics() -> None:
    task = registry.task("micro_band")
    stored = read_audit(task.folder / "truth")
    assert stored is not None
    assert f"Version {task.card.version}, " in section(task, stored)
    gone = stored.model_copy(
        update={"data_hash": "0" * 16, "metrics": {**stored.metrics, "fid_f@top50": FOUND, "lost": FOUND}}
    )
    before = section(task, gone)
    assert f"A version before {task.card.version}, of other items or weights, {stored.items} items." in before
    assert "`fid_f@top50`" in before
    assert "lost" not in before
    assert "`fid_f@top50`" not in section(task, gone.model_copy(update={"data_hash": task.data_hash}))


def test_a_row_says_what_was_found() -> None:
    assert dict(zip(COLUMNS, row("fid_f@top30", True, FOUND), strict=True)) == {
        "metric": "**`fid_f@top30`**",
        "gap": ".50 [.25 .75]",
        "p": "0.001",
        "forms, means": "1.00",
        "forms, items": ".50",
        "reliability": "-",
        "shares": ".60 / - / .40",
        "truth": ".50 (-.10 to .10)",
        "under changes": "judge cnn .90 (-.20 to .20)",
        "gamed": ".30 ones",
        "against it": "gameable",
    }
