"""Convert published weights to the names of MMViT's models.

The task is found by the names in SRC: an ImageNet classifier, a detector or a
segmentor becomes the model of the config that is printed, and an encoder the
start of SETR's configs. The file that is written holds a `state_dict`, which
tools/test.py takes. Another model loads the backbone alone with
init_cfg=dict(type='Pretrained', checkpoint=DST, prefix='backbone.').
"""

import argparse
import os.path as osp

from mmvit.apis.command_line import CommandLine, existing_file

EXAMPLES = """
  python tools/model_converters/convert_checkpoint.py pvt \\
      pvt_small.pth checkpoints/pvt_small.pth
  python tools/model_converters/convert_checkpoint.py setr \\
      SETR_PUP_768x768_80k_cityscapes_bs_8.pth checkpoints/setr_pup.pth
"""
FAMILIES = ('focal', 'hlg', 'pvt', 'scalablevit', 'setr')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        'family', choices=FAMILIES, help='whose weights they are'
    )
    parser.add_argument('src', type=existing_file, help='published file')
    parser.add_argument('dst', help='file to write')
    parser.add_argument(
        '--ema',
        action='store_true',
        help='take the moving average of the weights if SRC has both',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace DST if it exists'
    )
    args = parser.parse_args(argv)
    if osp.exists(args.dst) and not args.force:
        parser.error(f'{args.dst} exists: --force replaces it')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

from mmengine.fileio import register_backend
from mmengine.runner import save_checkpoint

from mmvit.checkpoints import (
    Conversion,
    check_values,
    convert,
    read_state_dict,
)
from mmvit.engine.guards.checkpoints import ATOMIC, AtomicBackend
from mmvit.utils.text import some_of


def report(done: Conversion, src: str, dst: str) -> str:
    """Say what was written, what was left out, and which config it is for."""
    lines = [
        f'{dst}: {done.task}, {len(done.weights)} tensors, every key of {src} '
        'placed'
    ]
    if done.left_out:
        lines[0] += f' but {len(done.left_out)} that play no part:'
        lines.append(f'  {some_of(done.left_out, 10)}')
    if done.config:
        lines.append(f'config: {done.config}')
    else:
        lines.append('config: none has these sizes')
    if done.options:
        lines.append(f'  --cfg-options {" ".join(done.options)}')
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> None:
    """Convert; see --help."""
    args = parse_args(argv)
    try:
        weights = read_state_dict(args.src, foreign=True, average=args.ema)
        done = convert(weights, args.family)
        check_values(done.weights, args.src, done.weights)
    except (ImportError, ValueError) as error:
        raise SystemExit(
            f'{error}\n{args.src} was not converted, nothing was written'
        ) from error
    register_backend(ATOMIC, AtomicBackend, force=True)
    save_checkpoint(
        dict(
            state_dict=done.weights,
            meta=dict(converted_from=osp.basename(args.src)),
        ),
        args.dst,
        backend_args=dict(backend=ATOMIC),
    )
    print(report(done, args.src, args.dst))


if __name__ == '__main__':
    main()
