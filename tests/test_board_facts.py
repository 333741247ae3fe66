"""What the board says of tasks that rows are of."""

from earwitness import registry
from earwitness.board.facts import task_facts


def test_rows_of_a_former_version_say_which_one_superseded_it() -> None:
    task = registry.task("micro_prompt")
    card = {**task.card.model_dump(mode="json"), "version": task.card.version - 1}
    facts = task_facts("micro_prompt", "0" * 16, [{"task": {"id": "micro_prompt", "hash": "0" * 16, "card": card}}])
    assert facts.newer == task.card.version
    assert facts.card is not None
    assert facts.card.superseded_by == "micro_prompt"
    assert not facts.registered
