"""Draw what a point of an image attends to.

As Figure 1 of Focal Transformer: one picture for each head of a block. The
brightness tells how much of each token of the block's map reaches the query
through the values, with the attention weights held constant. It is a gradient,
so windows, pooled keys and several attentions in one block need no special
case: the tool works for every pyramid backbone of MMViT.
"""

import argparse

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/visualization/attention_map.py CONFIG \\
      checkpoints/focal_tiny.pth photo.jpg \\
      --block stages.0.blocks.0 --point 120 80 --out-dir attention
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint?', 'image')
    parser.add_argument(
        '--block',
        default='stages.0.blocks.0',
        metavar='stages.S.blocks.B',
        help='block of the backbone, stage and block counted from 0 (default: '
        'the first block)',
    )
    parser.add_shared('--point', '--out-dir', '--cfg-options')
    parser.add_shared('--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import mmcv
import numpy as np
import torch
from torch import Tensor, nn

from mmvit.analysis.attention_maps import record_attention
from mmvit.apis.inference import load_from_args, read_image
from mmvit.models import PyramidBackbone
from mmvit.visualization.drawing import save_picture


class _Probe:
    """Keeps a block's input and the input of its attention's projection."""

    def __init__(self, block: nn.Module) -> None:
        self.source: Tensor | None = None
        self.heads: Tensor | None = None
        self.handles = [
            block.attn.register_forward_pre_hook(self._enter),
            block.attn.proj.register_forward_pre_hook(self._project),
        ]

    def _enter(self, _: nn.Module, args: tuple) -> tuple:
        self.source = args[0].detach().requires_grad_(True)
        return (self.source, *args[1:])

    def _project(self, _: nn.Module, args: tuple) -> None:
        self.heads = args[0]


def _run(backbone: nn.Module, block: nn.Module, inputs: Tensor) -> _Probe:
    if not hasattr(getattr(block, 'attn', None), 'proj'):
        raise ValueError(
            'the block has no attention `attn` with a `proj`: choose another'
        )
    probe = _Probe(block)
    try:
        with record_attention(backbone, values_only=True):
            backbone(inputs)
    finally:
        for handle in probe.handles:
            handle.remove()
    # A class token or a list of tokens has no place on the map.
    shape = probe.heads.shape
    if len(shape) != 4 or shape[:3] != probe.source.shape[:3]:
        raise ValueError(
            f'the projection of the block gets {tuple(shape)}, not a map of '
            f'{tuple(probe.source.shape[1:3])} tokens'
        )
    return probe


def attention_of(
    backbone: nn.Module,
    block: nn.Module,
    inputs: Tensor,
    point: tuple[float, float],
) -> Tensor:
    """Compute how much of each token reaches a query, for each head.

    `point` is (x, y) of the query, as shares of the input's width and height.

    Shape: inputs (1, C, H, W) -> (heads, H', W'); each head sums to 1.

    Raises:
        ValueError: If the block has no such attention.
    """
    probe = _run(backbone, block, inputs)
    _, height, width, _ = probe.heads.shape
    row = min(int(point[1] * height), height - 1)
    column = min(int(point[0] * width), width - 1)
    query = probe.heads[0, row, column]
    maps = []
    for head in query.chunk(getattr(block.attn, 'num_heads', 1)):
        (gradient,) = torch.autograd.grad(
            head.sum(), probe.source, retain_graph=True
        )
        share = gradient[0].norm(dim=-1)
        maps.append(share / share.sum().clamp(min=1e-12))
    return torch.stack(maps)


def draw(
    share: Tensor, image: np.ndarray, point: tuple[int, int]
) -> np.ndarray:
    """Darken an image where little reaches the query, which is red, RGB."""
    height, width = image.shape[:2]
    share = mmcv.imresize(share.numpy(), (width, height))
    drawn = image * (0.25 + 0.75 * share / share.max())[..., None]
    x, y = point
    drawn[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = (255, 0, 0)
    return drawn.astype(np.uint8)


def find_block(backbone: nn.Module, name: str) -> nn.Module:
    """Find a block of a backbone by its name."""
    if not isinstance(backbone, PyramidBackbone):
        raise SystemExit(
            f"the config's {type(backbone).__name__} is none of MMViT's "
            'pyramid backbones'
        )
    try:
        return backbone.get_submodule(name)
    except AttributeError as error:
        raise SystemExit(f'no block {name}: {error}') from error


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    cfg, model = load_from_args(args)
    block = find_block(model.backbone, args.block)
    found = read_image(cfg, model, args.image)
    point = args.point or found.middle
    try:
        place = found.place_of(point)
        maps = attention_of(model.backbone, block, found.inputs, place)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    rows, columns = found.without_padding(maps.shape[1:])
    for head, share in enumerate(maps[:, :rows, :columns]):
        name = f'{args.block}.head-{head}.png'
        picture = draw(share, found.image, point)
        print(save_picture(picture, args.out_dir, name))


if __name__ == '__main__':
    main()
