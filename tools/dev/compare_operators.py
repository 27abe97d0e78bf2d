"""Compare mmcv's compiled operators with those on torchvision.

Each detector runs a training step and a prediction with both sets, from the
same weights, images and random numbers. Printed are the largest differences of
losses, gradients and predictions, and the speed of a training step. Needs an
mmcv with compiled operators.
"""

import argparse
import copy
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from types import ModuleType

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/dev/compare_operators.py \\
      configs/quickstart/retinanet_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128.py
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('configs', help='configs of detectors')
    text = 'number of training steps with each set of operators'
    parser.add_number('--rounds', 5, text)
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import torch
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmvit.apis.config import build_model, load_config
from mmvit.operators import fill


def use(module: ModuleType) -> None:
    """Let all of mmcv.ops call the functions of a module."""
    for name, part in list(sys.modules.items()):
        if name.startswith('mmcv.ops.') and hasattr(part, 'ext_module'):
            part.ext_module = module


def train_once(model: nn.Module, batch: dict) -> dict[str, Tensor]:
    """Run a training step without an update: its losses and gradients."""
    torch.manual_seed(0)
    model.train()
    model.zero_grad()
    data = model.data_preprocessor(batch, True)
    total, losses = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    gradients = {
        f'gradient of {name}': parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    return {**{k: v.detach() for k, v in losses.items()}, **gradients}


def predict_once(model: nn.Module, batch: dict) -> InstanceData:
    """Predict the objects of the batch's first image."""
    torch.manual_seed(0)
    model.eval()
    one = {key: value[:1] for key, value in batch.items()}
    with torch.no_grad():
        return model.test_step(one)[0].pred_instances


def largest_difference(
    old: dict[str, Tensor], new: dict[str, Tensor]
) -> tuple[float, str]:
    """The largest difference, relative to the largest number of all.

    Not to that of its own tensor: gradients that cancel out, such as that of
    a bias before a normalisation, are nothing but rounding.
    """
    scale = max(float(value.abs().max()) for value in old.values())
    return max((float((new[k] - old[k]).abs().max()) / scale, k) for k in old)


def timed(function: Callable, *args: object) -> float:
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def compare(path: str, rounds: int, compiled: ModuleType) -> None:
    """Print what differs for one config."""
    ours = ModuleType('torchvision operators')
    fill(ours)
    cfg = load_config(path)
    torch.manual_seed(0)
    model = build_model(cfg)
    model.init_weights()
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    # A step updates running statistics.
    state = copy.deepcopy(model.state_dict())
    steps, predictions = {}, {}
    for name, module in (('compiled', compiled), ('ours', ours)):
        use(module)
        model.load_state_dict(state)
        steps[name] = train_once(model, batch)
        predictions[name] = predict_once(model, batch)
    print(f'{path}:')
    losses = [key for key in steps['ours'] if key.startswith('loss')]
    for kind, keys in (
        ('losses', losses),
        ('gradients', [k for k in steps['ours'] if k.startswith('gradient')]),
    ):
        parts = ({k: s[k] for k in keys} for s in steps.values())
        value, key = largest_difference(*parts)
        print(f'  {kind}: {value:.1e} ({key})')
    old, new = predictions['compiled'], predictions['ours']
    shown = f'  predictions: {len(old)} and {len(new)} objects'
    if len(old) == len(new) and len(old):
        boxes = (old.bboxes - new.bboxes).abs().max()
        scores = (old.scores - new.scores).abs().max()
        same = bool((old.labels == new.labels).all())
        shown += f', boxes {boxes:.1e} pixels, scores {scores:.1e}'
        shown += f', labels {"equal" if same else "different"}'
    print(shown)
    ratios = []
    for _ in range(rounds):
        seconds = []
        for module in (compiled, ours):
            use(module)
            seconds.append(timed(train_once, model, batch))
        ratios.append(seconds[0] / seconds[1])
    print(
        f'  speed of a training step, ours to compiled: '
        f'{statistics.median(ratios):.3f}x (of {rounds} rounds in turn: '
        f'{min(ratios):.3f} to {max(ratios):.3f})'
    )


def main(argv: list[str] | None = None) -> None:
    """Compare; see --help."""
    args = parse_args(argv)
    compiled = importlib.import_module('mmcv._ext')
    if not getattr(compiled, '__file__', None):
        raise SystemExit('mmcv has no compiled operators here')
    for path in args.configs:
        compare(path, args.rounds, compiled)


if __name__ == '__main__':
    main()
