"""Run a script that never imports mmvit with mmcv's operators in place.

`python -m mmvit.operators SCRIPT ARGUMENTS`, or
`torchrun ... -m mmvit.operators SCRIPT ARGUMENTS`.
"""

import os.path as osp
import runpy
import sys

if __name__ == '__main__':
    if len(sys.argv) < 2 or not osp.isfile(sys.argv[1]):
        raise SystemExit(
            'usage: python -m mmvit.operators SCRIPT [ARGUMENTS], where '
            'SCRIPT is a Python file'
        )
    # As Python itself sets them up for a script.
    del sys.argv[0]
    sys.path[0] = osp.dirname(osp.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name='__main__')
