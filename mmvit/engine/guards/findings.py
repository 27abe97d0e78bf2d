"""What checks of data find, for a training and for check_dataset.py."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mmvit.utils.log import warn
from mmvit.utils.text import some_of

ERROR = 'error'  # a training stops
DROPPED = 'left out'  # a training goes on without it, and says so
NOTE = 'note'


class Finding(NamedTuple):
    """Something that is wrong in a data set."""

    severity: str  # ERROR, DROPPED or NOTE
    kind: str  # what is wrong
    text: str  # where: the file, and the id or the name of what is in it
    cure: str = ''  # what to do


def error_of(kind: str, check: Callable, *args) -> Iterator[Finding]:
    """Call a check that stops a training, and yield its error, if any."""
    try:
        check(*args)
    except (OSError, ValueError) as error:
        yield Finding(ERROR, kind, str(error))


def grouped(
    findings: Iterable[Finding],
) -> dict[tuple[str, str], list[Finding]]:
    """Collect findings of one severity and kind, in their order."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding[:2], []).append(finding)
    return groups


def stop_or_warn(findings: Iterable[Finding], source: str) -> None:
    """Stop a run for errors; log what is left out, and the notes.

    `source` is the key of the data set, or its file.

    Raises:
        ValueError: If there is an error. The message names the first places
            of each kind.
    """
    errors = []
    for (severity, kind), group in grouped(findings).items():
        places = some_of([finding.text for finding in group])
        line = f'{len(group)} x {kind}: {places}. {group[0].cure}'.strip()
        if severity == ERROR:
            errors.append(line)
        else:
            warn(f'{source}: {severity}: {line}')
    if errors:
        raise ValueError(
            '\n'.join([f'{source} has errors:', *errors])
            + '\ntools/analysis_tools/check_dataset.py lists all of them'
        )
