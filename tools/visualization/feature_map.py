"""Draw what blocks of a backbone, or parts of a decoder, put out for an image.

As Figures 1 and 7 of ScalableViT and 7 and 12 of SETR: the mean over the
channels of an output, as colours. Works for every backbone of MMViT.
"""

import argparse
import os.path as osp

import mmcv
import numpy as np
import torch
from mmengine.utils import mkdir_or_exist
from mmengine.visualization import Visualizer
from torch import Tensor, nn

from mmvit.apis.config import build_model, load_config
from mmvit.apis.inference import load_weights, read_image
from mmvit.apis.launch import add_cfg_options
from mmvit.models import PyramidBackbone

EXAMPLE = """examples:
  python tools/visualization/feature_map.py CONFIG photo.jpg \\
      --checkpoint checkpoints/scalablevit_small.pth \\
      --blocks stages.0.blocks.0 stages.0.blocks.1 --out-dir features
  python tools/visualization/feature_map.py SETR_PUP_CONFIG photo.jpg \\
      --checkpoint work_dirs/setr/iter_80000.pth \\
      --blocks blocks.0 blocks.8 blocks.23 decode_head.steps.0 \\
      decode_head.steps.3 --out-dir features
"""


def blocks_of(backbone: nn.Module) -> dict[str, nn.Module]:
    """Name the blocks of a pyramid, or of a plain vision transformer."""
    if isinstance(backbone, PyramidBackbone):
        return {
            f'stages.{stage}.blocks.{index}': block
            for stage, part in enumerate(backbone.stages)
            for index, block in enumerate(part.blocks)
        }
    return {
        f'blocks.{index}': block
        for index, block in enumerate(getattr(backbone, 'blocks', ()))
    }


def find_blocks(model: nn.Module, names: list[str]) -> list:
    """Find parts by name; without a name, the last block of each stage.

    Args:
        model: The model of any task.
        names: Names of blocks within the backbone, or of other parts of the
            model that put out maps.
    """
    known = blocks_of(model.backbone)
    if not known:
        raise SystemExit(
            f'a {type(model.backbone).__name__} is none of '
            "MMViT's backbones: its blocks are not known"
        )
    if not names:
        last = {name.rpartition('.')[0]: name for name in known}
        names = list(last.values())
    parts = {
        name: part
        for name, part in model.named_modules()
        if name and not name.startswith('backbone.')
    }
    unknown = [name for name in names if name not in {**known, **parts}]
    if unknown:
        raise SystemExit(
            f'no block {", ".join(unknown)}; there are: {", ".join(known)}, '
            'and the parts of the model outside of its backbone, such as '
            f'{", ".join(list(parts)[:5])}'
        )
    return [(name, known.get(name, parts.get(name))) for name in names]


def record(block: nn.Module, is_block: bool, found: list[Tensor]) -> None:
    """Append what a part puts out, (C, H, W), the first time it runs.

    Args:
        block: A block of a backbone, or another part that puts out maps.
        is_block: Whether it is a block: channels last, and perhaps in a row
            with a class token.
        found: What to append to.
    """

    def append(_: nn.Module, inputs: tuple, out: Tensor | tuple) -> None:
        out = out[0] if isinstance(out, tuple) else out
        if found or out.dim() != 4:
            return
        if is_block and len(inputs) > 1:
            # A plain transformer's: (1, 1, 1 + N, C) and the map's size
            height, width = inputs[1]
            out = out.flatten(1, 2)[:, -height * width :]
            out = out.unflatten(1, (height, width))
        if is_block:
            out = out.permute(0, 3, 1, 2)
        found.append(out[0].float().cpu())

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
        metavar='NAME',
        help='stages.S.blocks.B of a pyramid, blocks.B of a plain '
        'transformer, counted from 0, or another part of the model, such as '
        'decode_head.steps.0; default: the last block of each stage',
    )
    parser.add_argument('--out-dir', required=True, help='folder to write to')
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if not osp.isfile(args.image):
        raise SystemExit(f'no image at {args.image}')
    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg)
    blocks = find_blocks(model, args.blocks)
    if args.checkpoint:
        load_weights(model, args.checkpoint)
    else:
        print('No --checkpoint: the weights are random')
    model.eval()
    in_backbone = blocks_of(model.backbone)
    outputs: dict[str, list[Tensor]] = {name: [] for name, _ in blocks}
    for name, block in blocks:
        record(block, name in in_backbone, outputs[name])
    inputs, image, share = read_image(cfg, model, args.image)
    with torch.no_grad():
        if all(name in in_backbone for name in outputs):
            model.backbone(inputs)
        else:
            model(inputs, mode='tensor')
    mkdir_or_exist(args.out_dir)
    for name, found in outputs.items():
        if not found:
            raise SystemExit(f'{name} puts out no map (1, C, H, W)')
        # Without what the image was padded by.
        rows, columns = (
            max(1, round(side * part))
            for side, part in zip(found[0].shape[1:], share)
        )
        drawn = Visualizer.draw_featmap(
            found[0][:, :rows, :columns],
            image,
            channel_reduction='squeeze_mean',
        )
        path = osp.join(args.out_dir, f'{name}.png')
        mmcv.imwrite(
            mmcv.rgb2bgr(np.concatenate([image, drawn], axis=1)), path
        )
        print(path)


if __name__ == '__main__':
    main()
