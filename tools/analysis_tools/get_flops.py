"""Count the parameters and multiply-adds of any config of any task.

With --sizes, count one or more configs at several square sizes, as Figure 6 of
PVT does, and print a table; --out also draws the curves.
"""

import argparse
import json
import os.path as osp
import sys
from contextlib import redirect_stdout
from pathlib import PurePath

from mmvit.apis.command_line import CommandLine, at_least

EXAMPLES = """
  python tools/analysis_tools/get_flops.py \\
      configs/pvt/pvt-s_8xb128-300e_in1k.py
  python tools/analysis_tools/get_flops.py \\
      configs/pvt/retinanet_pvt-s_fpn_1x_coco.py --shape 800 1280
  python tools/analysis_tools/get_flops.py \\
      mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py --shape 800 1280 --json
  python tools/analysis_tools/get_flops.py \\
      configs/pvt/pvt-s_8xb128-300e_in1k.py \\
      mmpretrain::resnet/resnet50_8xb32_in1k.py --names PVT-Small ResNet50 \\
      --sizes 224 384 512 640 768 896 --part backbone --out flops.png
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('configs')
    parser.add_shared(
        '--shape',
        help='side, or height and width, of the images (default: those of the '
        'test pipeline, if all images get the same)',
    )
    parser.add_shared('--part', help='part of the model to count')
    parser.add_argument(
        '--sizes',
        type=at_least(1),
        nargs='+',
        metavar='PIXELS',
        help='sides of square inputs, for a table of all configs',
    )
    parser.add_argument(
        '--names',
        nargs='+',
        metavar='NAME',
        help="the configs' names in the table of --sizes (default: those of "
        'the files)',
    )
    parser.add_output(help='draw the table of --sizes')
    parser.add_shared('--json', '--cfg-options')
    args = parser.parse_args(argv)
    check_args(parser, args)
    return args


def check_args(parser: CommandLine, args: argparse.Namespace) -> None:
    """Check the arguments that depend on each other."""
    if args.sizes and args.shape:
        parser.error('give --shape or --sizes, not both')
    if (args.out or args.names) and not args.sizes:
        parser.error('--out and --names need --sizes')
    if not args.names:
        args.names = [PurePath(c.split('::')[-1]).stem for c in args.configs]
    parser.check_one_each(args, 'names', 'configs')


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

from mmengine.config import Config

from mmvit.analysis.flops import COUNTING_RULE, Complexity, count_complexity
from mmvit.apis.config import (
    build_model,
    innermost_dataset,
    input_channels,
    load_config,
    preprocessor_of,
)
from mmvit.utils.text import columns
from mmvit.utils.types import type_name
from mmvit.visualization.figures import Panel, draw_curves, save_figure


class UnknownShapeError(ValueError):
    """A config has no single size of images; the message asks for one."""


def default_shape(cfg: Config) -> tuple[int, int] | None:
    """Find the (H, W) that all images of the test have, None without one."""
    test_cfg = cfg.model.get('test_cfg') or {}
    if test_cfg.get('mode') == 'slide':
        return _pair(test_cfg['crop_size'])
    loader = cfg.get('test_dataloader') or {}
    dataset = innermost_dataset(loader.get('dataset', {}))
    shape = None
    for step in dataset.get('pipeline', ()):
        name = type_name(step)
        if name == 'CenterCrop':
            shape = _pair(step['crop_size'])[::-1]
        elif name == 'Resize':
            # With its aspect ratio kept, an image may get any size.
            keeps = step.get('keep_ratio') or step.get('scale') is None
            shape = None if keeps else _pair(step['scale'])[::-1]
        elif name == 'ResizeEdge':
            shape = None
        elif name == 'Pad' and step.get('size'):
            shape = _pair(step['size'])[::-1]
    if shape is None and preprocessor_of(cfg).get('size'):
        shape = _pair(preprocessor_of(cfg)['size'])
    return shape


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def padded_shape(cfg: Config, shape: tuple[int, int]) -> tuple[int, int]:
    """Round a size up to what the data preprocessor pads to."""
    divisor = preprocessor_of(cfg).get('pad_size_divisor', 1)
    return tuple(-(-side // divisor) * divisor for side in shape)


def as_dict(config: str, found: Complexity) -> dict:
    """Convert the figures to plain dicts for JSON."""
    return dict(
        config=config,
        input_shape=list(found.shape),
        params=found.params,
        multiply_adds=found.flops,
        parts={
            name: dict(params=part.params, multiply_adds=part.flops)
            for name, part in found.parts.items()
        },
        proposals=found.proposals,
        masks=found.masks,
        counting_rule=COUNTING_RULE,
    )


def as_table(config: str, found: Complexity) -> str:
    """Format the figures as a table."""
    rows = [('', 'parameters', 'multiply-adds')] + [
        (name, f'{part.params / 1e6:.3f} M', f'{part.flops / 1e9:.3f} G')
        for name, part in (*found.parts.items(), ('total', found))
    ]
    lines = [
        config,
        f'input {found.shape[0]} x {found.shape[1]} (height x width)',
        *('', columns(rows, right=(1, 2)), '', f'Rule: {COUNTING_RULE}.'),
    ]
    if found.proposals:
        lines.append(
            f'The box head gets {found.proposals} proposals, as many as the '
            'config allows; NMS may leave fewer.'
        )
    if found.masks:
        lines.append(f'The mask head gets {found.masks} boxes.')
    return '\n'.join(lines)


def count(
    config: str, shapes: list[tuple[int, int]], args: argparse.Namespace
) -> list[Complexity]:
    """Count a config's model, or its backbone, for each shape (H, W).

    Without a shape, the images are those of the test pipeline.

    Raises:
        UnknownShapeError: If the images of the test pipeline differ in size.
    """
    cfg = load_config(config, args.cfg_options)
    shapes = shapes or [default_shape(cfg)]
    if None in shapes:
        raise UnknownShapeError(
            f'{config}: the images of its test pipeline differ in size, so '
            'give one: --shape HEIGHT WIDTH (COCO detectors are usually '
            'compared at --shape 800 1280)'
        )
    model = build_model(cfg)
    part = model if args.part == 'model' else model.backbone
    channels = input_channels(cfg)
    return [
        count_complexity(part, padded_shape(cfg, shape), channels)
        for shape in shapes
    ]


def as_curves(sizes: list[int], found: dict[str, list[Complexity]]) -> str:
    """Format the multiply-adds of several configs at several sizes."""
    rows = [['size', *(f'{name} (G)' for name in found)]]
    for size, *counts in zip(sizes, *found.values()):
        rows.append([f'{size}', *(f'{one.flops / 1e9:.2f}' for one in counts)])
    table = columns(rows, right=range(len(rows[0])))
    return f'{table}\n\nRule: {COUNTING_RULE}.'


def draw(
    sizes: list[int], found: dict[str, list[Complexity]], path: str
) -> None:
    """Draw the multiply-adds of several configs over the size."""
    curves = {
        name: {size: one.flops / 1e9 for size, one in zip(sizes, counts)}
        for name, counts in found.items()
    }
    labels = 'side of the image (pixels)', 'multiply-adds (G)'
    figure = draw_curves([Panel(*labels, curves)])
    figure.axes[0].set_ylim(bottom=0)
    save_figure(figure, path)


def report_sizes(args: argparse.Namespace) -> None:
    """Print and draw the configs at several sizes."""
    shapes = [(size, size) for size in args.sizes]
    with redirect_stdout(sys.stderr):
        found = {
            name: count(config, shapes, args)
            for name, config in zip(args.names, args.configs)
        }
    if args.out:
        draw(args.sizes, found, args.out)
    if args.json:
        rows = [
            as_dict(config, one)
            for config, counts in zip(args.configs, found.values())
            for one in counts
        ]
        print(json.dumps(rows, indent=2))
    else:
        print(as_curves(args.sizes, found))
        if args.out:
            print(f'Picture: {osp.abspath(args.out)}')


def main(argv: list[str] | None = None) -> int:
    """Count; see --help."""
    args = parse_args(argv)
    if args.sizes:
        report_sizes(args)
        return 0
    # Keep what the libraries print while they build a model apart from the
    # figures.
    shapes = [args.shape] if args.shape else []
    try:
        with redirect_stdout(sys.stderr):
            found = [count(config, shapes, args)[0] for config in args.configs]
    except UnknownShapeError as error:
        print(error, file=sys.stderr)
        return 2
    pairs = list(zip(args.configs, found))
    if args.json:
        rows = [as_dict(config, one) for config, one in pairs]
        print(json.dumps(rows if len(rows) > 1 else rows[0], indent=2))
    else:
        print('\n\n'.join(as_table(config, one) for config, one in pairs))
    return 0


if __name__ == '__main__':
    sys.exit(main())
