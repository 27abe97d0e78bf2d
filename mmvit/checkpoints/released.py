"""The names of published weights, and what is known of each file.

Imports neither torch nor mmengine, so that names are listed at once.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import yaml

_DRIVE = 'https://drive.google.com/uc?id='


class Released(NamedTuple):
    """A published file; zoo.yml describes its fields."""

    family: str
    config: str = ''
    printed: str = ''
    url: str = ''
    drive: str = ''
    note: str = ''

    @property
    def addresses(self) -> list[str]:
        """Where its authors have put it."""
        drive = f'{_DRIVE}{self.drive}' if self.drive else ''
        return [address for address in (self.url, drive) if address]


@functools.cache
def released_files() -> dict[str, Released]:
    """All published files by their names."""
    text = Path(__file__).with_name('zoo.yml').read_text(encoding='utf-8')
    return {
        name: Released(family, **facts)
        for family, files in yaml.safe_load(text).items()
        for name, facts in files.items()
    }


def listing() -> str:
    """A line for each name."""
    lines = []
    for name, released in released_files().items():
        printed = released.printed or released.note
        config = f'  configs/{released.config}' if released.config else ''
        lines.append(f'{name:36} {printed}{config}')
    return '\n'.join(lines)
