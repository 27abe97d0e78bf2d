"""Convert published weights to the ImageNet classifier of MMViT's configs.

The file that is written holds a `state_dict`. The classifier's config tests
it as it is. Detectors and segmentors load its backbone with
init_cfg=dict(type='Pretrained', checkpoint=DST, prefix='backbone.').
"""

import argparse
import os.path as osp

from mmvit.apis.command_line import CommandLine, existing_file

EXAMPLES = """
  python tools/model_converters/convert_checkpoint.py pvt \\
      pvt_small.pth checkpoints/pvt_small.pth
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
        '--force', action='store_true', help='replace DST if it exists'
    )
    parser.add_shared('--trust-checkpoint')
    args = parser.parse_args(argv)
    if osp.exists(args.dst) and not args.force:
        parser.error(f'{args.dst} exists: --force replaces it')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

from mmengine.fileio import register_backend
from mmengine.runner import save_checkpoint

import mmvit.checkpoints
from mmvit.engine.guards.checkpoints import ATOMIC, AtomicBackend


def main(argv: list[str] | None = None) -> None:
    """Convert; see --help."""
    args = parse_args(argv)
    for path in args.trust_checkpoint:
        mmvit.checkpoints.trust_checkpoint(path)
    try:
        weights = mmvit.checkpoints.read_state_dict(args.src)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    convert = mmvit.checkpoints.FAMILIES[args.family]
    converted, unplaced = convert(weights)
    if unplaced:
        raise SystemExit(
            f'{args.src} is not a published {args.family} checkpoint: '
            f'{len(unplaced)} of its {len(weights)} keys have no place, '
            'nothing was written:\n  ' + '\n  '.join(unplaced)
        )
    register_backend(ATOMIC, AtomicBackend, force=True)
    save_checkpoint(
        dict(
            state_dict=converted,
            meta=dict(converted_from=osp.basename(args.src)),
        ),
        args.dst,
        backend_args=dict(backend=ATOMIC),
    )
    print(
        f'{args.dst}: {len(converted)} tensors, every key of {args.src} placed'
    )


if __name__ == '__main__':
    main()
