"""The gate: compares a run's rows with a reviewed baseline and says pass, regression or inconclusive."""

from earwitness.gate.baseline import Changes, read_baseline, read_rows, update_baseline
from earwitness.gate.checking import check
from earwitness.gate.comparability import describe
from earwitness.gate.reports import print_report, to_json, to_junit, to_markdown
from earwitness.gate.rules import Mode, Rule, RuleError, parse
from earwitness.gate.settings import Settings, read_settings
from earwitness.gate.verdicts import CheckReport, Outcome, RuleVerdict

__all__ = [
    "Changes",
    "CheckReport",
    "Mode",
    "Outcome",
    "Rule",
    "RuleError",
    "RuleVerdict",
    "Settings",
    "check",
    "describe",
    "parse",
    "print_report",
    "read_baseline",
    "read_rows",
    "read_settings",
    "to_json",
    "to_junit",
    "to_markdown",
    "update_baseline",
]
