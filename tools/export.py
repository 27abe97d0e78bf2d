"""Export a model as a graph that runs without mmvit, and check the graph.

It takes RGB images with values from 0 to 255 (with --part backbone:
normalised ones) and returns tensors; docs/en/export.md has the table.
"""

import argparse

from mmvit.apis.command_line import CommandLine, at_least, output_file
from mmvit.apis.export_formats import DYNAMIC, FORMATS

EXAMPLES = """
  python tools/export.py CONFIG CHECKPOINT --shape 512 --out model.onnx
  python tools/export.py CONFIG CHECKPOINT --shape 800 1344 --dynamic batch hw
      --format torch-export --out model.pt2
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint')
    parser.add_argument(
        '--format',
        choices=FORMATS,
        help="torch.export's program or ONNX (default: by the ending of "
        '--out, .pt2 or .onnx)',
    )
    parser.add_shared('--shape', type=at_least(32), required=True)
    parser.add_argument(
        '--dynamic',
        choices=DYNAMIC,
        nargs='+',
        default=[],
        help='what stays open: the number of images, their height and width '
        'of 64 to 8192 pixels (default: nothing, and one image)',
    )
    parser.add_argument(
        '--out',
        type=output_file(*FORMATS.values()),
        required=True,
        metavar='FILE',
        help='file to write, .pt2 or .onnx',
    )
    parser.add_argument(
        '--part',
        choices=('model', 'backbone'),
        default='model',
        help='the whole model, or its backbone (default: model)',
    )
    parser.add_argument(
        '--fp16', action='store_true', help='weights in half precision'
    )
    parser.add_shared('--device', '--cfg-options', '--trust-checkpoint')
    args = parser.parse_args(argv)
    check_args(parser, args)
    return args


def check_args(parser: CommandLine, args: argparse.Namespace) -> None:
    """Refuse arguments that do not go together."""
    ending = FORMATS.get(args.format, args.out)
    if not args.out.endswith(ending):
        parser.error(
            f'--out {args.out}: the format {args.format} has files that end '
            f'with {ending}'
        )


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

from mmvit.apis.config import load_config
from mmvit.apis.export import export_model
from mmvit.apis.export_models import for_export
from mmvit.apis.inference import load_model


def main(argv: list[str] | None = None) -> None:
    """Export; see --help."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    model = load_model(
        cfg, args.checkpoint, args.device or 'cpu', args.trust_checkpoint
    )
    if args.fp16:
        model.half()
        # It is small, and reads values up to 255.
        model.data_preprocessor.float()
    try:
        part = model if args.part == 'model' else model.backbone
        exported = for_export(part)
        found = export_model(exported, args.out, args.shape, args.dynamic)
    except ValueError as error:
        raise SystemExit(f'cannot export: {error}') from error
    print(f'{args.out}: images -> {", ".join(exported.outputs)}')
    for shape, largest, boxes in found:
        size = 'x'.join(str(side) for side in shape)
        both = f', in {boxes[0]} of {boxes[1]} boxes' if boxes else ''
        print(f'images {size}: largest difference {largest:.1e}{both}')
    if len(found) == 1:
        print('The graph takes images of this shape only (see --dynamic)')


if __name__ == '__main__':
    main()
