"""Draw the output of a backbone's blocks, or of a decoder's parts.

As Figures 1 and 7 of ScalableViT and 7 and 12 of SETR: the mean over the
channels of an output, as colours. Works for every backbone of MMViT.
"""

import argparse

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/visualization/feature_map.py CONFIG \\
      checkpoints/scalablevit_small.pth photo.jpg \\
      --blocks stages.0.blocks.0 stages.0.blocks.1 --out-dir features
  python tools/visualization/feature_map.py SETR_PUP_CONFIG \\
      work_dirs/setr/iter_80000.pth photo.jpg \\
      --blocks blocks.0 blocks.8 blocks.23 decode_head.steps.0 \\
      decode_head.steps.3 --out-dir features
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint?', 'image')
    parser.add_argument(
        '--blocks',
        nargs='+',
        default=[],
        metavar='NAME',
        help='stages.S.blocks.B of a pyramid, blocks.B of a plain '
        'transformer, both counted from 0, or another part of the model, such '
        'as decode_head.steps.0 (default: the last block of each stage)',
    )
    parser.add_shared('--out-dir', '--cfg-options', '--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import numpy as np
import torch
from mmengine.visualization import Visualizer
from torch import Tensor, nn

from mmvit.analysis.blocks import as_map, blocks_of, find_blocks, map_size
from mmvit.apis.inference import load_from_args, read_image
from mmvit.visualization.drawing import save_picture


def record(block: nn.Module, is_block: bool, found: list[Tensor]) -> None:
    """Append the output of a part, (C, H, W), the first time that it runs.

    That of a block of a backbone (`is_block`) has the channels last, and may
    be a row of tokens with a class token.
    """

    def append(_: nn.Module, inputs: tuple, out: Tensor | tuple) -> None:
        out = out[0] if isinstance(out, tuple) else out
        if found or out.dim() != 4:
            return
        if is_block:
            out = as_map(out, map_size(inputs))
        found.append(out[0].float().cpu())

    block.register_forward_hook(append)


def record_all(
    model: nn.Module, blocks: list[tuple[str, nn.Module]], inputs: Tensor
) -> dict[str, Tensor]:
    """Run a model and return the outputs of parts that `find_blocks` found.

    Shape: inputs (1, 3, H, W) -> (C, H', W') of each part.
    """
    in_backbone = blocks_of(model.backbone)
    outputs: dict[str, list[Tensor]] = {name: [] for name, _ in blocks}
    for name, block in blocks:
        record(block, name in in_backbone, outputs[name])
    with torch.no_grad():
        if all(name in in_backbone for name in outputs):
            model.backbone(inputs)
        else:
            model(inputs, mode='tensor')
    for name, found in outputs.items():
        if not found:
            raise SystemExit(f'{name} returns no map (1, C, H, W)')
    return {name: found[0] for name, found in outputs.items()}


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    cfg, model = load_from_args(args)
    try:
        blocks = find_blocks(model, args.blocks)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    found = read_image(cfg, model, args.image)
    for name, out in record_all(model, blocks, found.inputs).items():
        rows, columns = found.without_padding(out.shape[1:])
        drawn = Visualizer.draw_featmap(
            out[:, :rows, :columns],
            found.image,
            channel_reduction='squeeze_mean',
        )
        picture = np.concatenate([found.image, drawn], axis=1)
        print(save_picture(picture, args.out_dir, f'{name}.png'))


if __name__ == '__main__':
    main()
