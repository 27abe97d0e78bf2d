"""No test of configs may start a command."""

import os
import subprocess
from collections.abc import Iterator

import mmengine.utils.package_utils
import pytest


@pytest.fixture(autouse=True, scope='package')
def no_commands() -> Iterator[None]:
    """mmengine's hub installs missing packages with pip; loading must not."""

    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError(f'a config ran a command: {args} {kwargs}')

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, '__init__', fail)
        patch.setattr(os, 'system', fail)
        patch.setattr(mmengine.utils.package_utils, 'call_command', fail)
        yield
