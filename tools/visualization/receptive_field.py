"""Draw how far a query sees with a number of keys.

As Figure 3 of Focal Transformer: with full attention, which sees a square of
as many tokens as it has keys, and with focal attention, whose levels summarise
1, 2, 3, ... tokens on a side and reach two windows further each.
"""

import argparse
import os
import os.path as osp

from mmvit.apis.command_line import CommandLine, at_least, output_file

EXAMPLES = """
  python tools/visualization/receptive_field.py --out field.png
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        '--max-window',
        type=at_least(1),
        default=8,
        metavar='TOKENS',
        help='largest focal window size, in tokens (default: 8, as in the '
        'paper)',
    )
    parser.add_argument(
        '--region',
        type=at_least(1),
        default=7,
        metavar='WINDOWS',
        help='focal region size of each level, in windows (default: 7)',
    )
    parser.add_argument(
        '--out',
        type=output_file('.png', '.pdf', '.svg'),
        required=True,
        metavar='FILE.png',
        help='picture to write: PNG, PDF or SVG',
    )
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt


def full_field(keys: int) -> float:
    """Side of the square that a query sees with full attention, in tokens."""
    return keys**0.5


def focal_field(levels: list[tuple[int, int]]) -> tuple[int, int]:
    """Compute what a query sees with focal attention.

    Args:
        levels: Focal window size and focal region size of each level.

    Returns:
        The number of keys, and the side of the square that they cover, in
        tokens.
    """
    keys = sum(region**2 for _, region in levels)
    return keys, max(window * region for window, region in levels)


def curve(max_window: int, region: int) -> list[tuple[int, int]]:
    """Compute keys and fields with one level, two levels, and so on.

    Args:
        max_window: The largest focal window size; sizes grow by 2.
        region: Focal region size of each level.
    """
    windows = [1, *range(2, max_window + 1, 2)]
    levels = [(window, region) for window in windows]
    return [focal_field(levels[:count]) for count in range(1, len(levels) + 1)]


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    focal = curve(args.max_window, args.region)
    most = focal[-1][0]
    tokens = [1 + most * step / 100 for step in range(101)]
    figure, axes = plt.subplots(figsize=(5, 3.5))
    axes.plot(*zip(*focal), marker='o', label='focal attention')
    axes.plot(tokens, [full_field(n) for n in tokens], label='full attention')
    axes.set(xlabel='keys', ylabel='side of the receptive field (tokens)')
    axes.legend()
    figure.tight_layout()
    os.makedirs(osp.dirname(osp.abspath(args.out)), exist_ok=True)
    figure.savefig(args.out, dpi=150)
    plt.close(figure)
    for keys, field in focal:
        print(
            f'{keys} keys: focal attention sees {field} tokens on a side, '
            f'full attention {full_field(keys):.1f}'
        )


if __name__ == '__main__':
    main()
