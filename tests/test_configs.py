"""Every file under configs/: its name, what it inherits, what it builds.

No data and no network: models are built on the meta device, transforms and
schedules from their dicts alone.
"""

import ast
import functools
import importlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mmengine.config.utils
import mmengine.utils.package_utils
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from torch import nn

from mmvit import registry
from mmvit.utils import build_model, load_config

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs'
FILES = sorted(CONFIGS.rglob('*.py'))
LEAVES = [f for f in FILES if '_base_' not in f.parts]
METAFILES = sorted(CONFIGS.rglob('metafile.yml'))
# The folders of papers; configs/quickstart has no results and no metafile.
PAPER_LEAVES = [f for f in LEAVES if f.parent.name != 'quickstart']

# {method}_{backbone}_{neck}_{settings}_{dataset}: detection leaves out its
# default of 8xb2, segmentation and classification always say it.
DEFAULT_BATCH = '_8xb2-'
BACKBONE = r'[a-z0-9]+-[tsmlb](-[a-z0-9]+)*'
NAMES = dict(
    mmpretrain=rf'{BACKBONE}_\d+xb\d+-\d+e_in1k',
    mmdet=rf'[a-z-]+_{BACKBONE}_fpn_([a-z0-9]+-)*[13]x_coco',
    mmseg=rf'[a-z-]+_{BACKBONE}_\d+xb\d+-\d+k_[a-z0-9]+-\d+x\d+',
)


@pytest.fixture(scope='module', autouse=True)
def read_library_metafiles_once() -> Iterator[None]:
    """mmengine reads all metafiles of a library at each `mmdet::` anew."""
    patch = pytest.MonkeyPatch()
    patch.setattr(
        mmengine.config.utils,
        'load',
        functools.cache(mmengine.config.utils.load),
    )
    yield
    patch.undo()


def name_of(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def each(files: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize('path', files, ids=name_of)


@functools.cache
def config_of(path: Path) -> Config:
    return load_config(str(path))


def pvt_config(stem: str) -> Config:
    return config_of(CONFIGS / 'pvt' / f'{stem}.py')


@functools.cache
def model_of(path: Path) -> nn.Module:
    """The config's model, without memory behind its parameters."""
    with torch.device('meta'):
        return build_model(config_of(path), device='meta')


@functools.cache
def models_in(metafile: Path) -> list[dict]:
    return yaml.safe_load(metafile.read_text())['Models']


def values_of(key: str, node: object) -> Iterator:
    """Everything that stands under a key in a tree of dicts and lists."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from values_of(key, child)


def test_every_file_is_seen() -> None:
    on_disk = [
        name
        for _, _, names in os.walk(CONFIGS)
        for name in names
        if name.endswith('.py')
    ]
    assert len(FILES) == len(on_disk)
    assert len(PAPER_LEAVES) > 30


@each(LEAVES)
def test_name(path: Path) -> None:
    parts = path.stem.split('_')
    assert len(parts) > 2
    assert all(re.fullmatch(r'[a-z0-9]+(-[a-z0-9]+)*', p) for p in parts)
    if path in PAPER_LEAVES:
        assert re.fullmatch(NAMES[config_of(path).default_scope], path.stem)


def test_bases_are_no_copies_of_library_files() -> None:
    def tree(path: Path) -> str:
        return ast.dump(ast.parse(path.read_text()))

    theirs = {}
    for library in ('mmdet', 'mmseg', 'mmpretrain'):
        module = importlib.import_module(library)
        folder = Path(module.__file__).parent / '.mim/configs/_base_'
        copies = {tree(file): file for file in folder.rglob('*.py')}
        assert len(copies) > 20
        theirs |= copies
    for path in FILES:
        assert tree(path) not in theirs, f'{path} is {theirs[tree(path)]}'


@each(LEAVES)
def test_types_of_ours_carry_the_prefix(path: Path) -> None:
    ours = set()
    for value in vars(registry).values():
        if getattr(value, 'scope', None) == 'mmvit':
            value.import_from_location()
            ours |= set(value.module_dict)
    assert 'PVT' in ours
    used = [
        t
        for t in values_of('type', config_of(path).to_dict())
        if isinstance(t, str)
    ]
    for type_ in used:
        prefix, _, name = type_.rpartition('.')
        if name in ours or prefix == 'mmvit':
            assert name in ours, f'mmvit registers no {name}'
            assert prefix == 'mmvit', f'{name} needs the prefix mmvit.'


@each(LEAVES)
def test_lr_is_for_a_stated_batch(path: Path) -> None:
    cfg = config_of(path)
    gpus, per_gpu = re.search(
        r'_(\d+)xb(\d+)-', path.stem + DEFAULT_BATCH
    ).groups()
    assert cfg.train_dataloader.batch_size == int(per_gpu)
    batch = int(gpus) * int(per_gpu)
    assert cfg.auto_scale_lr == dict(base_batch_size=batch, enable=False)


@each(LEAVES)
def test_model_builds(path: Path) -> None:
    assert sum(p.numel() for p in model_of(path).parameters()) > 10_000


@each(PAPER_LEAVES)
def test_pretrained_weights_lie_in_checkpoints(path: Path) -> None:
    init = config_of(path).model.backbone.get('init_cfg')
    if init is not None:
        assert re.fullmatch(r'checkpoints/[a-z0-9_-]+\.pth', init.checkpoint)
        assert init.prefix == 'backbone.'


@each(LEAVES)
def test_transforms_build(path: Path) -> None:
    cfg = config_of(path)
    pipelines = list(values_of('pipeline', cfg.to_dict()))
    assert len(pipelines) >= 3
    if 'tta_pipeline' in cfg:
        pipelines.append(cfg.tta_pipeline)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        for pipeline in pipelines:
            assert len(Compose(pipeline).transforms) == len(pipeline)


# ------------------------------------------------------------------- metafile


@pytest.mark.parametrize('metafile', METAFILES, ids=name_of)
def test_metafile_lists_the_configs_beside_it(metafile: Path) -> None:
    models = models_in(metafile)
    paths = [ROOT / model['Config'] for model in models]
    leaves = [f for f in PAPER_LEAVES if f.parent == metafile.parent]
    assert sorted(paths) == leaves
    assert [m['Name'] for m in models] == [p.stem for p in paths]


def test_each_paper_has_a_metafile_in_the_index() -> None:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert [ROOT / name for name in index['Import']] == METAFILES
    assert {f.parent for f in METAFILES} == {f.parent for f in PAPER_LEAVES}


@pytest.mark.parametrize(
    'model',
    [m for f in METAFILES for m in models_in(f)],
    ids=lambda m: m['Name'],
)
def test_metafile_counts_the_parameters(model: dict) -> None:
    built = model_of(ROOT / model['Config'])
    counted = sum(p.numel() for p in built.parameters())
    assert model['Metadata']['Parameters'] == counted


@pytest.mark.parametrize('metafile', METAFILES, ids=name_of)
def test_readme_shows_what_the_metafile_says(metafile: Path) -> None:
    lines = (metafile.parent / 'README.md').read_text().splitlines()
    for model in models_in(metafile):
        link = f'({Path(model["Config"]).name})'
        rows = [line for line in lines if link in line and line[0] == '|']
        assert rows, f'README.md has no row with {link}'
        counted = f'{model["Metadata"]["Parameters"] / 1e6:.2f}'
        assert all(counted in row for row in rows), (link, counted)


# -------------------------------------------------------------------- recipes


def length_of(cfg: Config, by_epoch: bool, epoch_length: int) -> int:
    """The training's length in epochs or iterations."""
    epochs = cfg.train_cfg.get('max_epochs')
    if by_epoch:
        return epochs
    return epochs * epoch_length if epochs else cfg.train_cfg.max_iters


def build_schedulers(cfg: Config, epoch_length: int) -> list:
    """The schedulers on an optimizer of their own, as the Runner does it."""
    optimizer = torch.optim.SGD(
        [nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr
    )
    built = []
    for params in cfg.param_scheduler:
        by_epoch = params.get('by_epoch', True)
        defaults = dict(end=length_of(cfg, by_epoch, epoch_length))
        built.append(
            PARAM_SCHEDULERS.build(
                defaults | params.to_dict(),
                default_args=dict(
                    optimizer=optimizer, epoch_length=epoch_length
                ),
            )
        )
    return built


@each(LEAVES)
def test_schedule_ends_with_the_training(path: Path) -> None:
    cfg = config_of(path)
    last = build_schedulers(cfg, epoch_length=100)[-1]
    assert last.end == length_of(cfg, last.by_epoch, epoch_length=100)


def lr_curve(stem: str, epoch_length: int) -> list[float]:
    """The learning rate of every iteration."""
    cfg = pvt_config(stem)
    schedulers = build_schedulers(cfg, epoch_length)
    optimizer = schedulers[0].optimizer
    group = optimizer.param_groups[0]
    length = cfg.train_cfg.get('max_iters') or (
        cfg.train_cfg.max_epochs * epoch_length
    )
    curve = []
    for step in range(1, length + 1):
        curve.append(group['lr'])
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or step % epoch_length == 0:
                scheduler.step()
    return curve


@pytest.mark.parametrize(
    ('settings', 'steps'), [('1x', (8, 11)), ('ms-3x', (27, 33))]
)
@pytest.mark.parametrize(
    ('method', 'peak'), [('retinanet', 1e-4), ('mask-rcnn', 2e-4)]
)
def test_detection_schedule(
    method: str, peak: float, settings: str, steps: tuple[int, int]
) -> None:
    curve = lr_curve(f'{method}_pvt-l_fpn_{settings}_coco', 501)
    assert curve[0] == pytest.approx(peak * 1e-3)
    assert curve[250] == pytest.approx(peak / 2, rel=0.01)
    first, second = (step * 501 for step in steps)
    for part, lr in (
        (curve[500:first], peak),
        (curve[first:second], peak / 10),
        (curve[second:], peak / 100),
    ):
        assert min(part) == pytest.approx(lr)
        assert max(part) == pytest.approx(lr)


def test_classification_schedule() -> None:
    curve = lr_curve('pvt-l_8xb128-300e_in1k', 4)
    assert curve[0] == pytest.approx(1e-6)
    assert max(curve) == pytest.approx(1e-3, rel=0.01)
    assert curve.index(max(curve)) in (19, 20)
    assert curve[4 * 152] == pytest.approx(5e-4, rel=0.03)
    assert curve[-1] == pytest.approx(1e-5, rel=0.01)


def test_segmentation_schedule() -> None:
    curve = lr_curve('fpn_pvt-l_4xb4-80k_ade20k-512x512', 1)
    assert len(curve) == 80_000
    assert curve[40_000] == pytest.approx(1e-4 * 0.5**0.9, rel=1e-3)
    assert curve[-1] < 1e-8


def optimizer_groups(stem: str) -> dict[str, dict]:
    """The group of each parameter, by the parameter's name."""
    cfg = pvt_config(stem)
    model = model_of(CONFIGS / 'pvt' / f'{stem}.py')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert isinstance(wrapper.optimizer, torch.optim.AdamW)
    group_of = {
        id(p): group
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }
    return {name: group_of[id(p)] for name, p in model.named_parameters()}


@pytest.mark.parametrize(
    ('stem', 'lr'),
    [
        ('retinanet_pvt-s_fpn_1x_coco', 1e-4),
        ('retinanet_pvt-s_fpn_ms-3x_coco', 1e-4),
        ('mask-rcnn_pvt-s_fpn_1x_coco', 2e-4),
        ('fpn_pvt-s_4xb4-80k_ade20k-512x512', 1e-4),
    ],
)
def test_dense_optimizer_treats_all_alike(stem: str, lr: float) -> None:
    for group in optimizer_groups(stem).values():
        assert (group['lr'], group['weight_decay']) == (lr, 1e-4)
    assert pvt_config(stem).optim_wrapper.get('clip_grad') is None


def test_classification_optimizer() -> None:
    groups = optimizer_groups('pvt-s_8xb128-300e_in1k')
    model = model_of(CONFIGS / 'pvt/pvt-s_8xb128-300e_in1k.py')
    seen = set()
    for name, parameter in model.named_parameters():
        decays = parameter.squeeze().ndim > 1 or 'position' in name
        assert groups[name]['lr'] == 1e-3
        assert groups[name]['weight_decay'] == (0.05 if decays else 0), name
        seen.add(name.rpartition('.')[2])
    assert 'cls_token' in seen


@pytest.mark.parametrize(
    ('size', 'classify', 'detect', 'clip'),
    [
        ('t', 0.1, 0.1, None),
        ('s', 0.1, 0.1, None),
        ('m', 0.3, 0.0, 1.0),
        ('l', 0.3, 0.0, 1.0),
    ],
)
def test_drop_path_and_clipping(
    size: str, classify: float, detect: float, clip: float | None
) -> None:
    cfg = pvt_config(f'pvt-{size}_8xb128-300e_in1k')
    assert cfg.model.backbone.drop_path_rate == classify
    expected = clip and dict(max_norm=clip)
    assert cfg.optim_wrapper.get('clip_grad') == expected
    for stem, rate in (
        (f'retinanet_pvt-{size}_fpn_1x_coco', detect),
        (f'mask-rcnn_pvt-{size}_fpn_ms-3x_coco', detect),
        (f'fpn_pvt-{size}_4xb4-80k_ade20k-512x512', 0.1),
    ):
        assert pvt_config(stem).model.backbone.drop_path_rate == rate


@pytest.mark.parametrize(
    ('settings', 'train', 'test'),
    [
        ('1x', (1333, 800), (1333, 800)),
        ('scratch-1x', (1333, 800), (1333, 800)),
        ('ms-3x', [(1333, 640), (1333, 800)], (1333, 800)),
        ('scratch-ms-3x', [(1333, 640), (1333, 800)], (1333, 800)),
        ('640-1x', (1066, 640), (1066, 640)),
    ],
)
def test_detection_sizes(
    settings: str, train: list | tuple, test: tuple
) -> None:
    cfg = pvt_config(f'retinanet_pvt-s_fpn_{settings}_coco')
    for loader, scale in (
        (cfg.train_dataloader, train),
        (cfg.val_dataloader, test),
        (cfg.test_dataloader, test),
    ):
        assert list(values_of('scale', loader.to_dict())) == [scale]


def test_models_of_the_sizes_differ_as_named() -> None:
    names = dict(t='tiny', s='small', m='medium', l='large')
    for path in PAPER_LEAVES:
        size = re.search(r'pvt-([tsml])(-wide)?_', path.stem)
        if size:
            arch = names[size[1]] + (size[2] or '')
            backbone = config_of(path).model.backbone
            assert backbone.arch == arch
            init = backbone.get('init_cfg')
            if init:
                assert init.checkpoint == f'checkpoints/pvt_{arch}.pth'


# ------------------------------------------------------------------- no pip


def test_loading_reaches_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine's hub installs with pip what it cannot find; we never may."""

    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError(f'a config ran a command: {args} {kwargs}')

    monkeypatch.setattr(subprocess.Popen, '__init__', fail)
    monkeypatch.setattr(os, 'system', fail)
    monkeypatch.setattr(mmengine.utils.package_utils, 'call_command', fail)
    for path in LEAVES:
        load_config(str(path))
