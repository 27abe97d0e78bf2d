"""Measure images per second and peak memory of configs, in turn.

All configs are measured in one process, one round of each in alternating
order, so that the noise of a busy machine affects all alike. Figures are
medians over the rounds, with quartiles; a ratio above 1 means that the first
config is faster.

A training step is forward, backward and a step of AdamW, with a learning rate
of 0 so that outputs stay comparable. --part model adds the losses of made-up
annotations in training and the post-processing in inference, without loading
and preprocessing of images. Peak memory is that of tensors: weights, optimizer
state, input, and what one step allocates, as counted by the caching allocator
on a GPU and by torch.profiler on a CPU (without oneDNN's scratch memory).
"""

import argparse
import copy
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from mmvit.apis.command_line import CommandLine, checkpoint_path

EXAMPLES = """
  python tools/analysis_tools/benchmark.py \\
      configs/pvt/retinanet_pvt-s_fpn_1x_coco.py \\
      mmdet::pvt/retinanet_pvt-s_fpn_1x_coco.py --batch-size 8
  python tools/analysis_tools/benchmark.py \\
      configs/pvt/retinanet_pvt-s_fpn_1x_coco.py \\
      --part model --shape 800 1280 --device cuda --amp bf16 --compile
  python tools/analysis_tools/benchmark.py \\
      configs/scalablevit/scalablevit-s_8xb128-300e_in1k.py \\
      mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py \\
      --part model --mode inference --batch-size 64 --markdown
"""
MODES = ('inference', 'training')
# Shortest duration of a round; a single step may be too short to time.
ROUND_SECONDS = 0.2
BOXES_PER_IMAGE = 8


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared(
        'configs',
        help='configs of any task; the first one is compared with the others',
    )
    add_subject_arguments(parser)
    add_measurement_arguments(parser)
    parser.add_shared(
        '--markdown', help='print Markdown, with parameters and FLOPs, too'
    )
    parser.add_shared('--json', '--cfg-options', '--compile')
    parser.add_shared('--trust-checkpoint')
    args = parser.parse_args(argv)
    parser.check_one_each(args, 'checkpoints', 'configs')
    if args.markdown and (args.json or args.largest_batch):
        parser.error('--markdown goes without --json and --largest-batch')
    if args.largest_batch and len(args.configs) > 1:
        parser.error('--largest-batch takes one config')
    if (args.device or 'cpu').partition(':')[0] not in ('cpu', 'cuda'):
        parser.error(f'--device is cpu or cuda, not {args.device}')
    return args


def add_subject_arguments(parser: CommandLine) -> None:
    """Add the arguments that choose what runs."""
    parser.add_shared('--part', default='backbone')
    parser.add_argument(
        '--mode',
        choices=(*MODES, 'both'),
        default='both',
        help='what to measure',
    )
    parser.add_shared('--shape', default=(224, 224))
    parser.add_argument(
        '--amp',
        choices=('bf16', 'fp16'),
        help='run in mixed precision of this type (default: float32)',
    )
    parser.add_argument(
        '--channels-last',
        action='store_true',
        help="put the weights and images in torch's channels-last format",
    )
    parser.add_argument(
        '--checkpoints',
        type=checkpoint_path,
        nargs='+',
        metavar='FILE',
        help="weights of each config's backbone, with its library's names; "
        'the outputs are compared, too (default: random weights)',
    )


def add_measurement_arguments(parser: CommandLine) -> None:
    """Add the arguments of the measurement."""
    parser.add_number('--batch-size', 8, 'number of images in a batch')
    parser.add_number('--rounds', 11, 'number of rounds')
    text = 'number of steps of each config before the first round'
    parser.add_number('--warmup', 2, text, low=0)
    parser.add_shared('--device', '--threads')
    parser.add_argument(
        '--largest-batch',
        action='store_true',
        help='find the largest batch of one config whose training step (with '
        '--mode inference: whose inference) fits into the memory',
    )
    parser.add_argument(
        '--memory-limit',
        type=float,
        metavar='GIB',
        help='memory for --largest-batch in GiB (default: 95 %% of the GPU; '
        'required on a CPU)',
    )


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import TRANSFORMS
from torch import Tensor, nn

from mmvit.analysis.flops import count_complexity
from mmvit.apis.config import build_model, input_channels, load_config
from mmvit.apis.models import backbone_prefix
from mmvit.checkpoints import load_pretrained, trust_checkpoint
from mmvit.engine.compilation import compile_model
from mmvit.utils.text import markdown_table

DTYPES = dict(bf16=torch.bfloat16, fp16=torch.float16)


@dataclass
class Result:
    """Seconds per step in each round, and peak memory, of a config."""

    config: str
    mode: str
    batch_size: int
    peak_bytes: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def images_per_second(self) -> tuple[float, float, float]:
        """Lower quartile, median, upper quartile."""
        return _quartiles([self.batch_size / s for s in self.seconds])


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, (25, 50, 75))
    return float(low), float(middle), float(high)


class Subject:
    """A model with the data and the optimizer to run steps of it.

    `checkpoint` has the weights of its backbone; None draws them.
    """

    def __init__(
        self,
        name: str,
        cfg: Config,
        args: argparse.Namespace,
        checkpoint: str | None = None,
    ) -> None:
        self.name = name
        self.device = torch.device(args.device)
        last, first = torch.channels_last, torch.contiguous_format
        self.layout = dict(memory_format=last if args.channels_last else first)
        model = build_model(cfg)
        if checkpoint:
            prefix = backbone_prefix(checkpoint)
            load_pretrained(model.backbone, checkpoint, prefix, 1.0)
        self.model = model if args.part == 'model' else model.backbone
        if args.markdown:
            self.complexity = count_complexity(
                self.model, tuple(args.shape), input_channels(cfg)
            )
        model.to(self.device, **self.layout)
        self.backbone = model.backbone
        if args.compile:
            compile_model(model, args.compile)
        self.amp = DTYPES.get(args.amp)
        # float16 needs a scaler, which takes time.
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=args.amp == 'fp16'
        )
        self.optimizer = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad], lr=0.0
        )
        self.make_data(cfg, args)

    def make_data(self, cfg: Config, args: argparse.Namespace) -> None:
        """Make a batch of `args.batch_size` images."""
        generator = torch.Generator().manual_seed(0)
        channels = input_channels(cfg)
        self.images = torch.randn(
            args.batch_size, channels, *args.shape, generator=generator
        ).to(self.device, **self.layout)
        self.data: dict[str, dict] = {}
        if args.part == 'backbone':
            return
        batch = _made_up_batch(
            *(cfg.default_scope, self.model, args.batch_size),
            (*args.shape, channels),
        )
        for mode in MODES:
            data = self.model.data_preprocessor(
                copy.deepcopy(batch), mode == 'training'
            )
            data['inputs'] = data['inputs'].to(**self.layout)
            self.data[mode] = data

    def prepare(self, mode: str) -> Callable[[], None]:
        """Switch to a mode and return the function that runs one step."""
        # Not chained: train() of some models returns None.
        self.model.train(mode == 'training')
        self.optimizer.zero_grad(set_to_none=True)
        return self._train if mode == 'training' else self._infer

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, dtype=self.amp, enabled=self.amp is not None
        )

    def _infer(self) -> None:
        with torch.no_grad(), self._autocast():
            if self.data:
                self.model(**self.data['inference'], mode='predict')
            else:
                self.model(self.images)

    def _train(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            if self.data:
                losses = self.model(**self.data['training'], mode='loss')
                loss, _ = self.model.parse_losses(losses)
            else:
                outs = _tensors(self.model(self.images))
                loss = sum(out.float().mean() for out in outs)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def held_bytes(self, mode: str) -> int:
        """Bytes of weights and input, in training also of the optimizer."""
        held = [*self.model.parameters(), *self.model.buffers()]
        held.append(self.data[mode]['inputs'] if self.data else self.images)
        if mode == 'training':
            for state in self.optimizer.state.values():
                held += [v for v in state.values() if isinstance(v, Tensor)]
        return sum(tensor.nbytes for tensor in held)

    def outputs(self) -> list[Tensor]:
        """Run the backbone on the images in evaluation mode."""
        self.backbone.eval()
        with torch.no_grad():
            return list(_tensors(self.backbone(self.images)))


def _tensors(outputs: Tensor | tuple | list) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def _packing(scope: str, with_mask: bool) -> list[Callable[[dict], dict]]:
    """Build the transforms that turn annotations into a library's samples."""
    boxes = dict(type='LoadAnnotations', with_bbox=True, with_mask=with_mask)
    steps = dict(
        mmdet=[boxes, dict(type='PackDetInputs')],
        mmseg=[dict(type='PackSegInputs')],
        mmpretrain=[dict(type='PackInputs')],
    )
    if scope not in steps:
        raise ValueError(
            f'--part model works with the default scopes {", ".join(steps)}, '
            f'the config has {scope!r}'
        )
    return [
        TRANSFORMS.build(dict(step, type=f'{scope}.{step["type"]}'))
        for step in steps[scope]
    ]


def _made_up_batch(
    scope: str,
    model: nn.Module,
    batch_size: int,
    image_shape: tuple[int, int, int],
) -> dict:
    """Make images of noise with annotations that the task's losses accept.

    The shape of an image is (H, W, C).
    """
    shape = image_shape[:2]
    rng = np.random.default_rng(0)
    steps = _packing(scope, getattr(model, 'with_mask', False))
    samples = []
    for index in range(batch_size):
        sample = dict(
            img=rng.integers(0, 256, image_shape, dtype=np.uint8),
            img_id=index,
            img_path='',
            img_shape=tuple(shape),
            ori_shape=tuple(shape),
            scale_factor=(1.0, 1.0),
            flip=False,
            flip_direction=None,
            instances=[_box(rng, shape) for _ in range(BOXES_PER_IMAGE)],
            gt_label=0,
            gt_seg_map=np.zeros(shape, np.uint8),
        )
        for step in steps:
            sample = step(sample)
        samples.append(sample)
    return pseudo_collate(samples)


def _box(rng: np.random.Generator, shape: tuple[int, int]) -> dict:
    height, width = shape
    left, top = rng.uniform(0, 0.5, 2) * (width, height)
    right, bottom = (left, top) + rng.uniform(0.1, 0.5, 2) * (width, height)
    return dict(
        bbox=[left, top, right, bottom],
        bbox_label=0,
        ignore_flag=0,
        mask=[[left, top, right, top, right, bottom, left, bottom]],
    )


def measure(
    subjects: list[Subject], mode: str, args: argparse.Namespace
) -> list[Result]:
    """Measure the configs in turn, in inference or in training."""
    device = subjects[0].device
    results = [
        Result(subject.name, mode, args.batch_size) for subject in subjects
    ]
    slowest = max(_warm_up(subject, mode, args.warmup) for subject in subjects)
    steps = max(1, round(ROUND_SECONDS / slowest))
    for index in range(args.rounds):
        turn = list(zip(subjects, results))
        for subject, result in turn if index % 2 == 0 else turn[::-1]:
            step = subject.prepare(mode)
            result.seconds.append(_seconds(step, steps, device))
        _progress(f'{mode}: round {index + 1} of {args.rounds}')
    for subject, result in zip(subjects, results):
        step = subject.prepare(mode)
        result.peak_bytes = subject.held_bytes(mode) + peak_bytes(step, device)
    return results


def _warm_up(subject: Subject, mode: str, steps: int) -> float:
    """Run some steps and return the seconds that one more takes."""
    _progress(f'{mode}: warming up {subject.name}')
    step = subject.prepare(mode)
    for _ in range(steps):
        step()
    return _seconds(step, 1, subject.device)


def _seconds(
    step: Callable[[], None], steps: int, device: torch.device
) -> float:
    _wait(device)
    start = time.perf_counter()
    for _ in range(steps):
        step()
    _wait(device)
    return (time.perf_counter() - start) / steps


def _wait(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def peak_bytes(step: Callable[[], None], device: torch.device) -> int:
    """Measure the most bytes that a step allocates for tensors at a time."""
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        _wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profiler:
        step()
    with TemporaryDirectory() as folder:
        trace = Path(folder, 'trace.json')
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())['traceEvents']
    changes = sorted(
        (event['ts'], event['args']['Bytes'])
        for event in events
        if event.get('name') == '[memory]'
    )
    held = np.cumsum([0, *(change for _, change in changes)])
    return int(held.max())


def _fits(
    subject: Subject, cfg: Config, args: argparse.Namespace, limit: int
) -> int | None:
    """Return the peak bytes of a step, None if it does not fit."""
    mode = 'inference' if args.mode == 'inference' else 'training'
    try:
        subject.make_data(cfg, args)
        step = subject.prepare(mode)
        step()  # allocates the optimizer's state
        peak = subject.held_bytes(mode) + peak_bytes(step, subject.device)
    except torch.OutOfMemoryError:
        peak = limit + 1
    subject.optimizer.zero_grad(set_to_none=True)
    if subject.device.type == 'cuda':
        torch.cuda.empty_cache()
    return peak if peak <= limit else None


def largest_batch(
    name: str, cfg: Config, args: argparse.Namespace
) -> tuple[int, int]:
    """Find the largest batch that fits, by doubling, then by bisection.

    Returns the batch size, 0 if not even one image fits, and the bytes that
    it takes. `args.batch_size` is changed.
    """
    limit = int((args.memory_limit or 0) * 2**30)
    if not limit:
        limit = int(0.95 * torch.cuda.mem_get_info(args.device)[1])
    args.batch_size = 1
    subject = Subject(name, cfg, args)
    fitting, taken, failing = 0, 0, None
    batch = 1
    while failing is None or failing - fitting > 1:
        args.batch_size = batch
        peak = _fits(subject, cfg, args, limit)
        _progress(
            f'batch {batch}: '
            + (f'{peak / 2**20:.0f} MiB' if peak else 'does not fit')
        )
        if peak is None:
            failing = batch
        else:
            fitting, taken = batch, peak
        batch = batch * 2 if failing is None else (fitting + failing) // 2
    return fitting, taken


def compare_outputs(subjects: list[Subject]) -> list[dict]:
    """Compare the outputs of all backbones with those of the first."""
    first, *others = subjects
    wanted = first.outputs()
    found = []
    for other in others:
        outputs = other.outputs()
        row = dict(config=other.name)
        shapes = [tuple(output.shape) for output in outputs]
        if shapes != [tuple(output.shape) for output in wanted]:
            row['shapes'] = shapes
        else:
            pairs = zip(wanted, outputs)
            row['max_difference'] = max(
                (a - b).abs().max().item() for a, b in pairs
            )
            row['max_output'] = max(a.abs().max().item() for a in wanted)
        found.append(row)
    return found


def environment(args: argparse.Namespace) -> dict:
    """Describe what the figures depend on."""
    if torch.device(args.device).type == 'cuda':
        device = torch.cuda.get_device_name(args.device)
    else:
        kind = torch.backends.cpu.get_cpu_capability()
        device = f'{platform.machine()} CPU ({kind})'
    return dict(
        unit='images/s',
        part=args.part,
        batch_size=args.batch_size,
        shape=list(args.shape),
        dtype=f'{args.amp} autocast' if args.amp else 'fp32',
        channels_last=args.channels_last,
        compile=args.compile,
        device=device,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        rounds=args.rounds,
    )


def as_dict(
    facts: dict, results: dict[str, list[Result]], outputs: list[dict]
) -> dict:
    """Convert the figures to plain dicts for JSON."""
    rows = []
    for mode, found in results.items():
        for result in found:
            low, middle, high = result.images_per_second
            row = dict(
                config=result.config,
                mode=mode,
                images_per_second=middle,
                images_per_second_quartiles=[low, high],
                milliseconds_per_step=1e3 * statistics.median(result.seconds),
                peak_megabytes=result.peak_bytes / 2**20,
            )
            if result is not found[0]:
                pairs = zip(found[0].seconds, result.seconds)
                low, middle, high = _quartiles([b / a for a, b in pairs])
                row.update(ratio_of_first=middle, ratio_quartiles=[low, high])
            rows.append(row)
    return dict(environment=facts, results=rows, outputs=outputs)


def as_text(report: dict) -> str:
    """Format what `as_dict` returns."""
    lines = [', '.join(f'{k} {v}' for k, v in report['environment'].items())]
    for row in report['results']:
        low, high = row['images_per_second_quartiles']
        lines += [
            f'{row["mode"]}: {row["config"]}',
            f'    {row["images_per_second"]:.2f} images/s (quartiles '
            f'{low:.2f} to {high:.2f}), {row["milliseconds_per_step"]:.1f} ms '
            f'a step, peak memory {row["peak_megabytes"]:.0f} MiB',
        ]
        if 'ratio_of_first' in row:
            low, high = row['ratio_quartiles']
            lines.append(
                f'    ratio: the first config runs at '
                f'{row["ratio_of_first"]:.3f}x of its speed (quartiles '
                f'{low:.3f} to {high:.3f})'
            )
    for row in report['outputs']:
        if 'shapes' in row:
            lines.append(
                f'outputs: {row["config"]} returns {row["shapes"]}, the '
                'first config returns other shapes'
            )
        else:
            lines.append(
                f'outputs: largest difference between the first config and '
                f'{row["config"]} {row["max_difference"]:.3g}, largest value '
                f'{row["max_output"]:.3g}'
            )
    return '\n'.join(lines)


def as_markdown(report: dict) -> str:
    """Format what `as_dict` returns as a table with parameters and FLOPs."""
    modes = list(dict.fromkeys(row['mode'] for row in report['results']))
    heads, lines = ['model', 'params (M):', 'FLOPs (G):'], []
    for mode in modes:
        heads += [f'{mode} (images/s):', f'{mode} memory (MiB):']
    for name, cost in report['complexity'].items():
        cells = [f'{cost.params / 1e6:.2f}', f'{cost.flops / 1e9:.2f}']
        for row in report['results']:
            if row['config'] == name:
                cells.append(f'{row["images_per_second"]:.1f}')
                cells.append(f'{row["peak_megabytes"]:.0f}')
        lines.append([PurePath(name.split('::')[-1]).stem, *cells])
    facts = ', '.join(f'{k} {v}' for k, v in report['environment'].items())
    return f'{markdown_table(heads, lines)}\n\n{facts}'


def report_largest_batch(args: argparse.Namespace) -> int:
    """Print the largest batch of a config; return 1 if nothing fits."""
    (name,) = args.configs
    cfg = load_config(name, args.cfg_options)
    with redirect_stdout(sys.stderr):
        batch, peak = largest_batch(name, cfg, args)
    if args.json:
        found = dict(config=name, largest_batch=batch, peak_bytes=peak)
        print(json.dumps(found))
    else:
        print(
            f'{name}: the largest batch of {args.shape[0]} x {args.shape[1]} '
            f'that fits is {batch}, with {peak / 2**20:.0f} MiB'
        )
    return 0 if batch else 1


def compare(args: argparse.Namespace) -> dict:
    """Measure all configs and return the figures, see `as_dict`."""
    checkpoints = args.checkpoints or [None] * len(args.configs)
    subjects = [
        Subject(name, load_config(name, args.cfg_options), args, checkpoint)
        for name, checkpoint in zip(args.configs, checkpoints)
    ]
    outputs = compare_outputs(subjects) if args.checkpoints else []
    modes = MODES if args.mode == 'both' else (args.mode,)
    results = {mode: measure(subjects, mode, args) for mode in modes}
    report = as_dict(environment(args), results, outputs)
    if args.markdown:
        report['complexity'] = {s.name: s.complexity for s in subjects}
    return report


def main(argv: list[str] | None = None) -> int:
    """Measure; see --help."""
    args = parse_args(argv)
    args.device = args.device or get_device()
    on_cpu = torch.device(args.device).type == 'cpu'
    if args.largest_batch and on_cpu and not args.memory_limit:
        raise SystemExit('--largest-batch needs --memory-limit on a CPU')
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    for path in args.trust_checkpoint:
        trust_checkpoint(path)
    if args.largest_batch:
        return report_largest_batch(args)
    # Keep what the libraries print apart from the figures.
    with redirect_stdout(sys.stderr):
        report = compare(args)
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        print(as_markdown(report) if args.markdown else as_text(report))
    return 0


if __name__ == '__main__':
    sys.exit(main())
