"""Convert published weights to the ImageNet classifier of our configs.

The file that is written holds a `state_dict`. The classifier's config tests
it as it is; detectors and segmentors load its backbone with
init_cfg=dict(type='Pretrained', checkpoint=DST, prefix='backbone.').
"""

import argparse
import os.path as osp

from mmengine.runner import save_checkpoint

import mmvit.engine  # noqa: F401  registers the storage back end
from mmvit.checkpoints import FAMILIES, read_state_dict
from mmvit.engine.checkpointing import ATOMIC

EXAMPLE = """example:
  python tools/model_converters/convert_checkpoint.py pvt \\
      pvt_small.pth checkpoints/pvt_small.pth
"""


def main(argv: list[str] | None = None) -> None:
    """Convert; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('family', choices=sorted(FAMILIES))
    parser.add_argument('src', help='published file, read as plain weights')
    parser.add_argument('dst', help='file to write')
    parser.add_argument(
        '--force', action='store_true', help='replace DST if it exists'
    )
    args = parser.parse_args(argv)
    if osp.exists(args.dst) and not args.force:
        raise SystemExit(f'{args.dst} exists: --force replaces it')
    try:
        weights = read_state_dict(args.src)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error
    converted, unplaced = FAMILIES[args.family](weights)
    if unplaced:
        raise SystemExit(
            f'{args.src} is not a published {args.family} checkpoint: '
            f'{len(unplaced)} of its {len(weights)} keys have no place, '
            'nothing was written:\n  ' + '\n  '.join(unplaced)
        )
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
