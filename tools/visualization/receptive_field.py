"""Draw how far a query sees with a number of keys.

As Figure 3 of Focal Transformer: with full attention, which sees a square of
as many tokens as it has keys, and with focal attention, whose levels summarise
1, 2, 3, ... tokens on a side and reach two windows further each.
"""

import argparse

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/visualization/receptive_field.py --out field.png
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    text = "largest focal window size, in tokens (default: the paper's, 8)"
    parser.add_number('--max-window', 8, text, metavar='TOKENS')
    text = 'focal region size of each level, in windows'
    parser.add_number('--region', 7, text, metavar='WINDOWS')
    parser.add_output(required=True)
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

from mmvit.visualization.figures import Panel, draw_curves, save_figure


def full_field(keys: int) -> float:
    """Side of the square that a query sees with full attention, in tokens."""
    return keys**0.5


def focal_field(levels: list[tuple[int, int]]) -> tuple[int, int]:
    """Compute how many keys a query sees with focal attention, and how far.

    Levels are focal window sizes and focal region sizes. The second result is
    the side of the square that the keys cover, in tokens.
    """
    keys = sum(region**2 for _, region in levels)
    return keys, max(window * region for window, region in levels)


def curve(max_window: int, region: int) -> list[tuple[int, int]]:
    """Compute keys and fields with one level, two levels, and so on.

    The focal window sizes of the levels grow by 2.
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
    curves = {
        'focal attention': dict(focal),
        'full attention': {number: full_field(number) for number in tokens},
    }
    labels = 'keys', 'side of the receptive field (tokens)'
    save_figure(draw_curves([Panel(*labels, curves)]), args.out)
    for keys, field in focal:
        print(
            f'{keys} keys: focal attention sees {field} tokens on a side, '
            f'full attention {full_field(keys):.1f}'
        )


if __name__ == '__main__':
    main()
