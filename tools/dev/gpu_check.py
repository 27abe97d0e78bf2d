"""Check and measure MMViT on a GPU, in about ten minutes.

Four parts, each of which can be left out:
  correctness  all backbones on the GPU against float64 on the CPU
  operators    the operators that detectors need, in three types
  runs         a short training of each task in bfloat16, and its resumption
  speed        images per second and peak memory beside mmdetection's Swin-T,
               at 224x224 and at 800x1344, eager and compiled
The figures are printed as one table. The exit status is 1 if a check failed.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/dev/gpu_check.py
  python tools/dev/gpu_check.py --parts speed
"""
PARTS = ('correctness', 'operators', 'runs', 'speed')
ROOT = Path(__file__).resolve().parents[2]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        '--parts',
        nargs='+',
        choices=PARTS,
        default=PARTS,
        help='what to do',
    )
    parser.add_shared('--device')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import copy
import statistics
import subprocess
import tempfile
import time

import torch
from mmcv.ops import RoIAlign, nms
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmvit.engine.compilation import compile_model

# The smallest size of each family, with the drop path of its recipes
BACKBONES = {
    'PVT-T': dict(type='mmvit.PVT', arch='tiny'),
    'Pale-T': dict(type='mmvit.PaleTransformer', arch='tiny'),
    'ScalableViT-S': dict(type='mmvit.ScalableViT', arch='small'),
    'Focal-T': dict(type='mmvit.FocalTransformer', arch='tiny'),
    'HLG-T': dict(type='mmvit.HLGTransformer', arch='tiny'),
    'HLG-S': dict(type='mmvit.HLGTransformer', arch='small'),
}
SWIN = dict(
    type='mmdet.SwinTransformer',
    embed_dims=96,
    depths=[2, 2, 6, 2],
    num_heads=[3, 6, 12, 24],
    window_size=7,
)
# Batch size, height and width: ImageNet's, and a detector's
SHAPES = [(128, 224, 224), (2, 800, 1344)]
QUICKSTARTS = (
    'pvt-nano_1xb32-15e_digit-scenes-64x64',
    'retinanet_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128',
    'mask-rcnn_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128',
    'fpn_pvt-nano_1xb8_digit-scenes-128x128',
)


@dataclass
class Finding:
    """One line of the table; `passed` is None for a measurement."""

    name: str
    text: str
    passed: bool | None = None


def build(cfg: dict) -> nn.Module:
    """Build a backbone with random weights that are the same each time."""
    torch.manual_seed(0)
    return MODELS.build(dict(cfg, drop_path_rate=0.1))


def outputs_and_gradients(model: nn.Module, image: Tensor) -> list[Tensor]:
    """Outputs, and the gradient of the image, of a training step."""
    image = image.clone().requires_grad_()
    outs = model(image)
    sum(out.square().mean() for out in outs).backward()
    return [*outs, image.grad]


def relative_error(found: list[Tensor], exact: list[Tensor]) -> float:
    """The largest difference, relative to the largest value of each tensor."""
    pairs = zip(found, exact)
    return max(
        float((a.cpu().to(b) - b).abs().max() / b.abs().max())
        for a, b in pairs
    )


def check_correctness(device: torch.device) -> Iterator[Finding]:
    """Compare float32 on the device with float64 on the CPU."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    for name, cfg in BACKBONES.items():
        for size in ((224, 224), (233, 311)):
            # In evaluation: no dropout, and statistics that do not drift
            model = build(cfg).eval()
            image = torch.rand(1, 3, *size)
            exact = outputs_and_gradients(
                copy.deepcopy(model).double(), image.double()
            )
            found = outputs_and_gradients(model.to(device), image.to(device))
            error = relative_error(found, exact)
            where = f'{size[0]}x{size[1]}'
            yield Finding(
                f'{name}, {where}', f'relative error {error:.1e}', error < 1e-3
            )


def check_operators(device: torch.device) -> Iterator[Finding]:
    """Compare NMS and RoIAlign on the device with the CPU."""
    torch.manual_seed(0)
    corners = torch.rand(500, 2) * 200
    boxes = torch.cat([corners, corners + torch.rand(500, 2) * 60 + 1], 1)
    scores = torch.rand(500)
    kept = nms(boxes, scores, 0.5)[1]
    found = nms(boxes.to(device), scores.to(device), 0.5)[1].cpu()
    yield Finding('NMS', f'{len(kept)} boxes', torch.equal(kept, found))
    rois = torch.cat([torch.zeros(500, 1), boxes], 1)
    align = RoIAlign(7, 0.25, 2)
    maps = torch.rand(1, 16, 64, 64)
    expected = outputs_and_gradients(lambda x: [align(x, rois)], maps)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        found = outputs_and_gradients(
            lambda x, kind=dtype: [align(x, rois.to(device, kind)).float()],
            maps.to(device, dtype),
        )
        error = relative_error(found, expected)
        # Half types round the boxes, too.
        bound = 1e-4 if dtype is torch.float32 else 0.2
        yield Finding(
            f'RoIAlign, {dtype}', f'relative error {error:.1e}', error < bound
        )


def check_runs(device: torch.device) -> Iterator[Finding]:
    """Train each task for some iterations in bfloat16, and resume."""
    amp = ['--amp'] if device.type == 'cuda' else []
    digits = 'tools/dataset_converters/digit_scenes.py'
    subprocess.run([sys.executable, ROOT / digits], cwd=ROOT, check=True)
    for name in QUICKSTARTS:
        with tempfile.TemporaryDirectory() as work_dir:
            command = [
                *(sys.executable, 'tools/train.py'),
                f'configs/quickstart/{name}.py',
                *('--work-dir', work_dir, *amp, '--resume', 'auto'),
                '--cfg-options',
                'train_dataloader.dataset.indices=160',
                'val_dataloader.dataset.indices=16',
            ]
            unit = 'iters' if 'fpn_pvt-nano_1xb8_' in name else 'epochs'
            text = 'trained and resumed'
            for length in (1, 2):
                last = length if unit == 'epochs' else 20 * length
                options = [f'train_cfg.max_{unit}={last}']
                if unit == 'iters':
                    options.append('train_cfg.val_interval=20')
                    options.append('default_hooks.checkpoint.interval=20')
                run = subprocess.run(
                    [*command, *options], cwd=ROOT, capture_output=True
                )
                if run.returncode:
                    text = run.stderr.decode().strip().splitlines()[-1]
                    break
            yield Finding(name, text, not run.returncode)


def measure(
    model: nn.Module, images: Tensor, training: bool
) -> tuple[float, float]:
    """Images per second, and peak memory in GiB, in bfloat16."""
    device = images.device
    model.train(training)
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=0.0, fused=True)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            outs = model(images)
        if training:
            sum(out.float().mean() for out in outs).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    seconds = []
    with torch.set_grad_enabled(training):
        for _ in range(3):
            step()
        torch.cuda.reset_peak_memory_stats(device)
        for _ in range(8):
            torch.cuda.synchronize(device)
            start = time.perf_counter()
            step()
            torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated(device) / 2**30
    return len(images) / statistics.median(seconds), peak


def measure_speed(device: torch.device) -> Iterator[Finding]:
    """Measure all backbones in turn with Swin-T, eager and compiled."""
    if device.type != 'cuda':
        raise SystemExit('--parts speed measures GPUs: none is visible')
    for batch, *size in SHAPES:
        images = torch.rand(batch, 3, *size, device=device)
        swin = {
            training: measure(build(SWIN).to(device), images, training)[0]
            for training in (False, True)
        }
        where = f'{size[0]}x{size[1]}, batch {batch}'
        for training, rate in swin.items():
            kind = 'training' if training else 'inference'
            yield Finding(f'Swin-T, {where}, {kind}', f'{rate:.1f} images/s')
        for name, cfg in BACKBONES.items():
            for compiled in (False, True):
                model = build(cfg).to(device)
                if compiled:
                    compile_model(model)
                for training in (False, True):
                    rate, peak = measure(model, images, training)
                    kind = 'training' if training else 'inference'
                    how = 'compiled' if compiled else 'eager'
                    yield Finding(
                        f'{name}, {where}, {kind}, {how}',
                        f'{rate:.1f} images/s, {rate / swin[training]:.2f}x '
                        f"Swin-T's, {peak:.2f} GiB",
                    )


CHECKS: dict[str, Callable] = dict(
    correctness=check_correctness,
    operators=check_operators,
    runs=check_runs,
    speed=measure_speed,
)


def main(argv: list[str] | None = None) -> int:
    """Check and measure; see --help."""
    args = parse_args(argv)
    default = 'cuda' if torch.cuda.is_available() else 'cpu'
    device = torch.device(args.device or default)
    print(f'torch {torch.__version__}, {device.type}', flush=True)
    if device.type == 'cuda':
        print(torch.cuda.get_device_name(device), flush=True)
    failed = 0
    for part in args.parts:
        for finding in CHECKS[part](device):
            mark = {None: '', True: 'passed', False: 'FAILED'}[finding.passed]
            failed += finding.passed is False
            print(f'{part} | {finding.name} | {finding.text} | {mark}')
            sys.stdout.flush()
    print('all checks passed' if not failed else f'{failed} checks failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
