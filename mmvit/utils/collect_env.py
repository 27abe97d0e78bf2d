"""Print what a bug report needs: `python -m mmvit.utils.collect_env`."""

import platform

from mmengine.utils.dl_utils import collect_env as collect_base_env

from mmvit.operators import operators_in_use
from mmvit.stack import REQUIREMENTS
from mmvit.version import __version__


def collect_env() -> dict[str, str]:
    """Collect versions, devices and build settings, in printing order."""
    env = {'Platform': platform.platform(), **collect_base_env()}
    env |= {r.module: r.version or 'not installed' for r in REQUIREMENTS}
    env['mmcv operators'] = operators_in_use()
    env['mmvit'] = __version__
    return env


if __name__ == '__main__':
    for name, value in collect_env().items():
        print(f'{name}: {value}')  # noqa: T201
