"""Draw which parts of an image speak for a class, by a class activation map.

For a classifier, the class's logit is explained; for a segmentor, the logits
of the pixels that it gives the class; for a detector, the scores of the boxes
that it gives the class. The methods are those of the package grad-cam
(pip install grad-cam), which gets the blocks' outputs as maps.
"""

import argparse
import os.path as osp

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/visualization/class_activation.py CONFIG CHECKPOINT \\
      photo.jpg --out-dir cam
  python tools/visualization/class_activation.py CONFIG CHECKPOINT \\
      photo.jpg --class-name dog --method LayerCAM \\
      --blocks stages.2.blocks.3 --out-dir cam
"""
METHODS = (
    *('GradCAM', 'GradCAMPlusPlus', 'HiResCAM', 'XGradCAM', 'LayerCAM'),
    *('EigenCAM', 'EigenGradCAM', 'GradCAMElementWise'),
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint', 'image')
    parser.add_argument(
        '--class-name',
        metavar='NAME',
        help='class to explain (default: the one that most speaks for)',
    )
    parser.add_argument(
        '--blocks',
        nargs='+',
        default=[],
        metavar='NAME',
        help='blocks whose outputs are used, such as stages.2.blocks.3, or '
        'blocks.8 of a plain transformer; the maps of several are averaged '
        '(default: the last block of a classifier, or the one before it if '
        'a class token comes after it; else the last block of each stage)',
    )
    parser.add_argument(
        '--method',
        choices=METHODS,
        default='GradCAM',
        help='class of grad-cam',
    )
    parser.add_shared(
        '--score-thr', help='lowest score of the boxes that are explained'
    )
    parser.add_shared(
        '--out-dir', '--device', '--cfg-options', '--trust-checkpoint'
    )
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import mmcv
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmvit.analysis.blocks import as_map, blocks_of, find_blocks, map_size
from mmvit.apis.inference import (
    build_test_pipeline,
    class_names,
    load_from_args,
)
from mmvit.visualization.drawing import save_picture

try:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.image import show_cam_on_image
except ImportError:  # an optional package
    pytorch_grad_cam = None


class Evidence(nn.Module):
    """A model as grad-cam wants it: an image in, a number for each class out.

    Args:
        model: A model of any task.
        samples: The image's data samples.
        num_classes: N.
        score_thr: Lowest score of a detector's boxes.

    Shape: inputs (1, C, H, W) -> a list with one tensor (N,).
    """

    def __init__(
        self,
        model: nn.Module,
        samples: list[BaseDataElement],
        num_classes: int,
        score_thr: float,
    ) -> None:
        super().__init__()
        self.model = model
        self.samples = samples
        self.num_classes = num_classes
        self.score_thr = score_thr

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Logits of the image, of each class's pixels, or scores of boxes."""
        model, head = self.model, getattr(self.model, 'bbox_head', None)
        if hasattr(head, 'prior_generator'):
            # These heads cut the gradient before they make boxes.
            levels = model(inputs, self.samples, mode='tensor')[0]
            size = head.cls_out_channels
            scores = [x[0].permute(1, 2, 0).reshape(-1, size) for x in levels]
            scores = torch.cat(scores)
            sigmoid = head.use_sigmoid_cls
            scores = scores.sigmoid() if sigmoid else scores.softmax(-1)
            scores = scores[:, : self.num_classes]
            return [(scores * (scores >= self.score_thr)).sum(0)]
        if head is not None or hasattr(model, 'roi_head'):
            (sample,) = model(inputs, self.samples, mode='predict')
            found = sample.pred_instances
            found = found[found.scores >= self.score_thr]
            none = found.scores.new_zeros(self.num_classes)
            return [none.index_add(0, found.labels, found.scores)]
        logits = model(inputs, self.samples, mode='tensor')[0]
        if logits.dim() == 3:
            owner = logits.argmax(0)
            classes = torch.arange(len(logits), device=logits.device)
            logits = logits * (owner == classes[:, None, None])
            logits = logits.sum(dim=(1, 2))
        return [logits]


def choose_class(
    evidence: Tensor, classes: list[str], name: str | None
) -> int:
    """Return the index of a class, or of the one with the most evidence.

    Raises:
        ValueError: If there is no such class, or nothing speaks for it.
    """
    if name is not None and name not in classes:
        raise ValueError(f'no class {name}; there are: {", ".join(classes)}')
    number = classes.index(name) if name else int(evidence.argmax())
    if evidence[number] == 0:
        raise ValueError(f'the model finds no {name or "object"} in the image')
    return number


def choose_blocks(model: nn.Module, names: list[str]) -> list[nn.Module]:
    """Find blocks by name, or those that suit the model; see --help."""
    if not names and not hasattr(model, 'decode_head'):
        known = list(blocks_of(model.backbone))
        if hasattr(model, 'head') and known:
            # Only the class token leaves the last block.
            token = getattr(model.backbone, 'with_cls_token', False)
            names = known[-2:-1] if token and len(known) > 1 else known[-1:]
    return [block for _, block in find_blocks(model, names)]


class AsMap:
    """Arranges the outputs of blocks as maps, for grad-cam.

    Args:
        blocks: The blocks.
    """

    def __init__(self, blocks: list[nn.Module]) -> None:
        self.size: tuple[int, int] | None = None
        for block in blocks:
            block.register_forward_pre_hook(self._remember)

    def _remember(self, _: nn.Module, inputs: tuple) -> None:
        self.size = map_size(inputs)

    def __call__(self, out: Tensor) -> Tensor:
        """Shape: (B, H, W, C) or (B, 1, 1 + H * W, C) -> (B, C, H, W)."""
        is_row = self.size is not None and out.shape[1] == 1
        return as_map(out, self.size if is_row else None)


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    if pytorch_grad_cam is None:
        raise SystemExit('this needs grad-cam: pip install grad-cam')
    cfg, model = load_from_args(args)
    classes = list(class_names(cfg, model)['classes'])
    data = build_test_pipeline(cfg)(dict(img_path=args.image, img_id=0))
    batch = model.data_preprocessor(pseudo_collate([data]), False)
    inputs, samples = batch['inputs'], batch['data_samples']
    evidence = Evidence(model, samples, len(classes), args.score_thr)
    try:
        blocks = choose_blocks(model, args.blocks)
        with torch.no_grad():
            (found,) = evidence(inputs)
        number = choose_class(found, classes, args.class_name)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    method = getattr(pytorch_grad_cam, args.method)
    with method(evidence, blocks, reshape_transform=AsMap(blocks)) as cam:
        (heat,) = cam(inputs, targets=[lambda values: values[number]])
    height, width = samples[0].img_shape[:2]  # without padding
    image = mmcv.imread(args.image, channel_order='rgb')
    size = image.shape[1::-1]
    heat = mmcv.imresize(np.ascontiguousarray(heat[:height, :width]), size)
    drawn = show_cam_on_image(image / np.float32(255), heat, use_rgb=True)
    picture = np.concatenate([image, drawn], axis=1)
    stem = osp.splitext(osp.basename(args.image))[0]
    name = f'{stem}_{classes[number]}_{args.method}.png'.replace(' ', '-')
    print(save_picture(picture, args.out_dir, name.replace('/', '-')))


if __name__ == '__main__':
    main()
