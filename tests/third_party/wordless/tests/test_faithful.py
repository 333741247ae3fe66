import pytest
from wordless import LeaveOneOut


@pytest.mark.faithful(task="micro_prompt", items=50)
def test_leave_one_out_stays_faithful(faithful):
    faithful.check(LeaveOneOut())


def test_a_word_costs_one_pass(explanation_speed):
    for passes in explanation_speed(LeaveOneOut(), task="micro_prompt", items=2):
        assert passes.forwards > 1
        assert passes.backwards == 0
