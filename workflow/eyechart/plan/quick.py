"""What makes Snakemake plan thousands of jobs in seconds; nothing here changes what is planned.

Snakemake imports this module at parse time, so it needs neither numpy nor torch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from snakemake.common import get_function_params, overwrite_function_params
from snakemake.resources import Resource


class Command(str):
    """A shell command that counts as empty, so that it is not filled in, where it is not shown.

    Snakemake fills the command of every job three times in a dry run, and prints it with
    ``--printshellcmds`` alone; a run fills in what it runs.
    """

    shown: Callable[[], bool]

    def __bool__(self) -> bool:
        return self.shown()


def plan_quickly(workflow: Any) -> None:
    """Spare Snakemake what it would do again for every job of the rules that were read."""

    def shown() -> bool:
        return not workflow.dryrun or bool(workflow.output_settings.printshellcmds)

    for rule in workflow.rules:
        if rule.shellcmd is not None:
            rule.shellcmd = Command(rule.shellcmd)
            rule.shellcmd.shown = shown
        _state_arguments(_functions(rule))
    _state_arguments([Resource.evaluate], leave_out=("self",))


def _functions(rule: Any) -> Iterator[Callable[..., Any]]:
    """Yield the functions of a rule that Snakemake calls for each job."""
    for value in (*rule.input, *rule.params, rule._conda_env):
        found = getattr(value, "_file", value)  # an input function is wrapped twice
        found = getattr(found, "callable", found)
        if callable(found):
            yield found
    yield from filter(None, (one._evaluator for one in rule.resources.values()))


def _state_arguments(
    functions: Iterable[Callable[..., Any]], leave_out: Iterable[str] = ()
) -> None:
    """Note the arguments of functions where Snakemake looks for them before it inspects.

    It does so several times for each function of each job, which took a sixth of a plan.
    """
    for function in functions:
        own: Mapping[str, Any] = get_function_params(function)
        named = {name: one for name, one in own.items() if name not in leave_out}
        overwrite_function_params(getattr(function, "__func__", function), named)
