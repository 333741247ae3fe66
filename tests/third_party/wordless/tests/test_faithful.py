import pytest
from wordless import LeaveOneOut


@pytest.mark.faithful(task="micro_prompt", items=50)
def test_leave_one_out_stays_faithful(faithful):
    faithful.check(LeaveOneOut())


def test_a_word_costs_one_pass_and_the_whole_prompt_another(explanation_speed):
    for passes in explanation_speed(LeaveOneOut(), task="micro_prompt", items=4):
        assert passes.forwards > 1
        assert passes.backwards == 0
