"""Make a checkpoint fit to be published: its weights, and where they are from.

Optimizer, schedulers, log and the state of random generators are left out.
With an EMA hook, the averaged weights are those that remain, as in a test.
The first eight digits of the file's SHA-256 are added to its name, as torch
hub checks them; the whole hash is printed.
"""

import argparse
import os.path as osp

from mmvit.apis.command_line import (
    CommandLine,
    config_path,
    existing_file,
    output_file,
)

EXAMPLES = """
  python tools/model_converters/publish_model.py \\
      work_dirs/retinanet_pvt-s_fpn_1x_coco/epoch_12.pth \\
      published/retinanet_pvt-s.pth \\
      --config configs/pvt/retinanet_pvt-s_fpn_1x_coco.py
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument('src', type=existing_file, help='checkpoint of a run')
    parser.add_argument(
        'dst',
        type=output_file('.pth'),
        help='file to write; the hash is put before its ending',
    )
    parser.add_argument(
        '--config',
        type=config_path,
        metavar='FILE',
        help='config of the run, which is stored in the file (default: the '
        'one that the checkpoint has)',
    )
    parser.add_shared('--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import hashlib
import os

import mmengine
import torch

from mmvit.apis.config import load_config
from mmvit.checkpoints import read_checkpoint, trust_checkpoint
from mmvit.version import __version__


def provenance(found: dict, src: str, config: str | None) -> dict:
    """Say what a run's checkpoint is: run, versions, classes, config.

    The config is the one in the checkpoint, unless another is named.
    """
    meta = found.get('meta') or {}
    kept = ('epoch', 'iter', 'seed', 'time', 'dataset_meta', 'cfg')
    kept = {key: meta[key] for key in kept if key in meta}
    if config:
        kept['cfg'] = load_config(config).pretty_text
    return dict(
        kept,
        published_from=osp.join(*osp.abspath(src).split(os.sep)[-2:]),
        mmvit_version=__version__,
        mmengine_version=mmengine.__version__,
        torch_version=str(torch.__version__),
    )


def main(argv: list[str] | None = None) -> None:
    """Write the file; see --help."""
    args = parse_args(argv)
    for path in args.trust_checkpoint:
        trust_checkpoint(path)
    found = read_checkpoint(args.src)
    content = dict(
        state_dict={
            name: value.detach().cpu().clone()
            for name, value in found['state_dict'].items()
        },
        meta=provenance(found, args.src, args.config),
    )
    stem = args.dst.removesuffix('.pth')
    os.makedirs(osp.dirname(osp.abspath(stem)), exist_ok=True)
    unfinished = f'{stem}.part'
    torch.save(content, unfinished)
    with open(unfinished, 'rb') as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    path = f'{stem}-{digest[:8]}.pth'
    os.replace(unfinished, path)
    size, before = osp.getsize(path), osp.getsize(args.src)
    print(f'{path}: {size / 1e6:.1f} MB of {before / 1e6:.1f} MB')
    print(f'SHA-256: {digest}')


if __name__ == '__main__':
    main()
