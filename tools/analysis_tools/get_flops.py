"""Count the parameters and multiply-adds of any config of any task."""

import argparse
import json
import sys
from contextlib import redirect_stdout

from mmvit.apis.command_line import CommandLine, at_least

EXAMPLES = """
  python tools/analysis_tools/get_flops.py \\
      configs/pvt/pvt-s_8xb128-300e_in1k.py
  python tools/analysis_tools/get_flops.py \\
      configs/pvt/retinanet_pvt-s_fpn_1x_coco.py --shape 800 1280
  python tools/analysis_tools/get_flops.py \\
      mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py --shape 800 1280 --json
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config')
    parser.add_argument(
        '--shape',
        type=at_least(1),
        nargs='+',
        metavar='PIXELS',
        help='height and width of the input, or one number for a square '
        '(default: that of the test pipeline, if all images get the same)',
    )
    parser.add_shared('--json', '--cfg-options')
    args = parser.parse_args(argv)
    if args.shape and len(args.shape) > 2:
        parser.error(f'--shape takes height and width, not {args.shape}')
    if args.shape:
        args.shape = (args.shape[0], args.shape[-1])
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

from mmengine.config import Config

from mmvit.analysis.flops import COUNTING_RULE, Complexity, count_complexity
from mmvit.apis.config import build_model, innermost_dataset, load_config


def default_shape(cfg: Config) -> tuple[int, int] | None:
    """Find the (H, W) that all images of the test have, None without one."""
    test_cfg = cfg.model.get('test_cfg') or {}
    if test_cfg.get('mode') == 'slide':
        return _pair(test_cfg['crop_size'])
    loader = cfg.get('test_dataloader') or {}
    dataset = innermost_dataset(loader.get('dataset', {}))
    shape = None
    for step in dataset.get('pipeline', ()):
        name = str(step['type']).rpartition('.')[2]
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
    if shape is None and _preprocessor(cfg).get('size'):
        shape = _pair(_preprocessor(cfg)['size'])
    return shape


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def _preprocessor(cfg: Config) -> dict:
    return (
        cfg.model.get('data_preprocessor')
        or cfg.get('data_preprocessor')
        or {}
    )


def padded_shape(cfg: Config, shape: tuple[int, int]) -> tuple[int, int]:
    """Round up to what the data preprocessor pads a batch to."""
    divisor = _preprocessor(cfg).get('pad_size_divisor', 1)
    return tuple(-(-side // divisor) * divisor for side in shape)


def input_channels(cfg: Config) -> int:
    """Return the channels of an image: as many as the data have means."""
    return len(_preprocessor(cfg).get('mean') or (0, 0, 0))


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
    rows = [
        (name, part.params, part.flops) for name, part in found.parts.items()
    ]
    rows.append(('total', found.params, found.flops))
    width = max(len(name) for name, _, _ in rows)
    lines = [
        config,
        f'input {found.shape[0]} x {found.shape[1]} (height x width)',
        '',
        f'{"":{width}}  {"parameters":>14}  {"multiply-adds":>17}',
    ]
    lines += [
        f'{name:{width}}  {params / 1e6:>12.3f} M  {flops / 1e9:>15.3f} G'
        for name, params, flops in rows
    ]
    lines += ['', f'Rule: {COUNTING_RULE}.']
    if found.proposals:
        lines.append(
            f'The box head gets {found.proposals} proposals, as many as the '
            'config allows; NMS may leave fewer.'
        )
    if found.masks:
        lines.append(f'The mask head gets {found.masks} boxes.')
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> int:
    """Count; see --help."""
    args = parse_args(argv)
    # Keep what the libraries print while they build a model apart from the
    # figures.
    with redirect_stdout(sys.stderr):
        cfg = load_config(args.config, args.cfg_options)
        shape = args.shape or default_shape(cfg)
        if shape is None:
            print(
                f'{args.config}: the images of its test pipeline differ in '
                'size, so give one: --shape HEIGHT WIDTH (COCO detectors are '
                'usually compared at --shape 800 1280)'
            )
            return 2
        found = count_complexity(
            build_model(cfg), padded_shape(cfg, shape), input_channels(cfg)
        )
    if args.json:
        print(json.dumps(as_dict(args.config, found), indent=2))
    else:
        print(as_table(args.config, found))
    return 0


if __name__ == '__main__':
    sys.exit(main())
