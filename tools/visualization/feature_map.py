"""Draw what a block of a backbone puts out, over an image.

As Figures 1 and 7 of ScalableViT: the mean over the channels of a block's
output, as colours. Works for every backbone of MMViT.
"""

import argparse
import os.path as osp

import mmcv
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.utils import mkdir_or_exist
from mmengine.visualization import Visualizer
from torch import nn

from mmvit.models import PyramidBackbone
from mmvit.utils import build_model, load_config
from mmvit.utils.inference import build_test_pipeline, load_weights
from mmvit.utils.launch import add_cfg_options

EXAMPLE = """example:
  python tools/visualization/feature_map.py CONFIG photo.jpg \\
      --checkpoint checkpoints/scalablevit_small.pth \\
      --blocks stages.0.blocks.0 stages.0.blocks.1 --out-dir features
"""


def find_blocks(backbone: PyramidBackbone, names: list[str]) -> list:
    """Find blocks by name; without a name, the last of each stage."""
    known = {
        f'stages.{stage}.blocks.{index}': block
        for stage, part in enumerate(backbone.stages)
        for index, block in enumerate(part.blocks)
    }
    if not names:
        names = [
            f'stages.{stage}.blocks.{len(part.blocks) - 1}'
            for stage, part in enumerate(backbone.stages)
        ]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(
            f'no block {", ".join(unknown)}; there are: {", ".join(known)}'
        )
    return [(name, known[name]) for name in names]


def record(block: nn.Module, outputs: list[torch.Tensor]) -> None:
    """Append what a block puts out, (C, H, W), each time it runs."""

    def append(_: nn.Module, __: tuple, out: torch.Tensor) -> None:
        # (1, H, W, C) -> (C, H, W)
        outputs.append(out[0].permute(2, 0, 1).float().cpu())

    block.register_forward_hook(append)


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file, of any task')
    parser.add_argument('image', help='image file')
    parser.add_argument(
        '--checkpoint', help='weights; without them they are random'
    )
    parser.add_argument(
        '--blocks',
        nargs='+',
        default=[],
        metavar='stages.S.blocks.B',
        help='blocks to draw, counted from 0; default: the last of each stage',
    )
    parser.add_argument('--out-dir', required=True, help='folder to write to')
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if not osp.isfile(args.image):
        raise SystemExit(f'no image at {args.image}')
    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg)
    if not isinstance(model.backbone, PyramidBackbone):
        raise SystemExit(
            f'{args.config} has a {type(model.backbone).__name__}, which is '
            "none of MMViT's pyramid backbones"
        )
    if args.checkpoint:
        load_weights(model, args.checkpoint)
    else:
        print('No --checkpoint: the weights are random')
    model.eval()
    outputs = []
    blocks = find_blocks(model.backbone, args.blocks)
    for _, block in blocks:
        record(block, outputs)
    data = build_test_pipeline(cfg)(dict(img_path=args.image, img_id=0))
    batch = model.data_preprocessor(pseudo_collate([data]), False)
    with torch.no_grad():
        model.backbone(batch['inputs'])
    image = mmcv.imread(args.image, channel_order='rgb')
    height, width = batch['data_samples'][0].img_shape[:2]
    padded = batch['inputs'].shape[2:]
    mkdir_or_exist(args.out_dir)
    for (name, _), output in zip(blocks, outputs):
        # Without what the image was padded by.
        rows = max(1, round(output.shape[1] * height / padded[0]))
        columns = max(1, round(output.shape[2] * width / padded[1]))
        drawn = Visualizer.draw_featmap(
            output[:, :rows, :columns], image, channel_reduction='squeeze_mean'
        )
        path = osp.join(args.out_dir, f'{name}.png')
        mmcv.imwrite(
            mmcv.rgb2bgr(np.concatenate([image, drawn], axis=1)), path
        )
        print(path)


if __name__ == '__main__':
    main()
