"""Run a tool that mmdet, mmseg or mmpretrain brings with its package.

mmvit is imported before, so that the tool reads configs whose bases have the
prefix mmseg:: or mmvit::, finds checkpoints by mmvit://, and loads no file
that would execute code. The results that tools/test.py --out writes are a
pickle: name your own with --trust-checkpoint before the library. Pictures are
drawn without a screen.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/library_tool.py mmdet
  python tools/library_tool.py --trust-checkpoint results.pkl \\
      mmdet analysis_tools/analyze_results CONFIG results.pkl pictures \\
      --topk 20
  python tools/library_tool.py mmpretrain visualization/vis_scheduler --help
"""
LIBRARIES = ('mmdet', 'mmseg', 'mmpretrain')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('--trust-checkpoint')
    parser.add_argument('library', choices=LIBRARIES)
    parser.add_argument(
        'tool',
        nargs='?',
        help='its file below tools/, without .py (default: list them all)',
    )
    parser.add_argument(
        'arguments', nargs=argparse.REMAINDER, help='arguments of the tool'
    )
    args = parser.parse_args(argv)
    spec = find_spec(args.library)
    if spec is None:
        parser.error(f'{args.library} is not installed')
    folder = Path(spec.submodule_search_locations[0]) / '.mim/tools'
    args.tools = {
        path.relative_to(folder).with_suffix('').as_posix(): path
        for path in sorted(folder.rglob('*.py'))
    }
    if args.tool is not None:
        args.tool = args.tool.removesuffix('.py')
        if args.tool not in args.tools:
            parser.error(
                f'no tool {args.tool}; {args.library} has '
                f'{", ".join(args.tools)}'
            )
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import runpy

import matplotlib

import mmvit  # noqa: F401  (prepares the prefixes of configs)
from mmvit.checkpoints import guard_loading, trust_checkpoint


def main(argv: list[str] | None = None) -> None:
    """Run the tool; see --help."""
    args = parse_args(argv)
    if args.tool is None:
        print('\n'.join(args.tools))
        return
    for file in args.trust_checkpoint:
        trust_checkpoint(file)
    path = args.tools[args.tool]
    matplotlib.use('Agg')
    before = sys.argv, list(sys.path)
    sys.argv = [str(path), *args.arguments]
    # As Python does for a script: some tools import files beside them.
    sys.path.insert(0, str(path.parent))
    try:
        with guard_loading():
            runpy.run_path(str(path), run_name='__main__')
    finally:
        sys.argv, sys.path[:] = before


if __name__ == '__main__':
    main()
