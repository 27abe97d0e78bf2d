"""Every file under configs/: its name, what it inherits, what it builds.

No data and no network: models are built on the meta device, transforms and
schedules from their dicts alone.
"""

import ast
import importlib
import os
import re
import sys
import types
from pathlib import Path

import pytest
import yaml
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmvit import registry
from mmvit.engine.guards import GUARDS, config_values
from mmvit.engine.guards.config_keys import (
    check_custom_keys,
    check_sub_keys,
    unread_keys,
)

from ..support.config_tools import (
    CONFIGS,
    FILES,
    LEAVES,
    METAFILES,
    PAPER_LEAVES,
    ROOT,
    build_schedulers,
    config_of,
    each,
    length_of,
    model_of,
    models_in,
    name_of,
    values_of,
)

# {method}_{backbone}_{neck}_{settings}_{dataset}: detection leaves out its
# default of 8xb2, segmentation and classification always say it.
DEFAULT_BATCH = '_8xb2-'
BACKBONE = r'([a-z0-9]+-(mobile|[tsmlb])(-[a-z0-9]+)*|r\d+(-d\d+)?)'
NAMES = dict(
    mmpretrain=rf'{BACKBONE}_\d+xb\d+-\d+e_in(1k|21k|1k-v2)',
    mmdet=rf'[a-z-]+_{BACKBONE}(_fpn(-dyhead)?)?_([a-z0-9]+-)*\d+[xe]_coco'
    r'(-testdev)?',
    mmseg=rf'[a-z0-9-]+_{BACKBONE}_\d+xb\d+-([a-z0-9]+-)*\d+k'
    r'_[a-z0-9-]+-\d+x\d+',
)
SIZES = dict(t='tiny', s='small', m='medium', b='base', l='large')
SIZES['mobile'] = 'mobile'


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
        r'_(\d+)xb(\d+)[-_]', path.stem + DEFAULT_BATCH
    ).groups()
    assert cfg.train_dataloader.batch_size == int(per_gpu)
    batch = int(gpus) * int(per_gpu)
    assert cfg.auto_scale_lr == dict(base_batch_size=batch, enable=False)


@each(LEAVES)
def test_model_builds(path: Path) -> None:
    # Read through `mmvit::`, as the base of another config.
    model = model_of(path)
    assert sum(p.numel() for p in model.parameters()) > 10_000
    # A training starts with this check.
    check_custom_keys(config_of(path).optim_wrapper, model)
    config_values.check_class_weights(model)


@each(LEAVES)
def test_types_are_those_of_the_task(path: Path) -> None:
    # `mmengine.hub.get_model` builds in mmengine's scope of the prefix.
    cfg = config_of(path)
    assert cfg.model._scope_ == cfg.default_scope
    assert 'mmvit' not in set(values_of('_scope_', cfg.to_dict()))


@each(PAPER_LEAVES)
def test_pretrained_weights_lie_in_checkpoints(path: Path) -> None:
    init = config_of(path).model.backbone.get('init_cfg')
    # Backbones of the libraries may start from their own addresses.
    if init is not None and '://' not in init.checkpoint:
        assert re.fullmatch(r'checkpoints/[a-z0-9_-]+\.pth', init.checkpoint)
        assert init.prefix == 'backbone.'


# Not configs of another paper's backbone, for comparison.
@each(
    [
        f
        for f in PAPER_LEAVES
        if re.search(rf'(^|_){f.parent.name}-[tsmbl][-_]', f.stem)
    ]
)
def test_size_and_weights_are_those_of_the_name(path: Path) -> None:
    family = path.parent.name
    letter, variant = re.search(
        rf'{family}-(mobile|[tsmbl])((?:-[a-z0-9]+)*)_', path.stem
    ).groups()
    size = SIZES[letter]
    backbone = config_of(path).model.backbone
    if isinstance(backbone.arch, str):
        assert backbone.arch in (size + variant, size)
    if backbone.get('init_cfg'):
        weights = f'checkpoints/{family}_{size}{variant}.pth'
        assert backbone.init_cfg.checkpoint == weights


@each(LEAVES)
def test_transforms_build(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An optional package, which InstaBoost looks for when it is built.
    instaboost = types.SimpleNamespace(InstaBoostConfig=lambda *_: None)
    monkeypatch.setitem(sys.modules, 'instaboostfast', instaboost)
    cfg = config_of(path)
    pipelines = list(values_of('pipeline', cfg.to_dict()))
    assert len(pipelines) >= (3 if cfg.val_dataloader else 1)
    if 'tta_pipeline' in cfg:
        pipelines.append(cfg.tta_pipeline)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        for pipeline in pipelines:
            assert len(Compose(pipeline).transforms) == len(pipeline)


@each(LEAVES)
def test_schedule_ends_with_the_training(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_values, 'warn', pytest.fail)
    cfg = config_of(path)
    built = build_schedulers(cfg, epoch_length=1000)
    epochs, iters = (length_of(cfg, by, 1000) for by in (True, False))
    assert built[-1].end == (epochs if built[-1].by_epoch else iters)
    config_values.check_ends(built, epochs, iters)


@each(LEAVES)
def test_guards_have_nothing_to_say(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    monkeypatch.setattr(config_values, 'warn', said.append)
    cfg = config_of(path)
    config_values.check_values(cfg)
    config_values.check_schedules(cfg)
    check_sub_keys(cfg, GUARDS)
    assert [*said, *unread_keys(str(path))] == []


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


def test_loading_reaches_no_command() -> None:
    """conftest.py makes every command fail while configs are loaded."""
    with pytest.raises(AssertionError, match='ran a command'):
        os.system('true')
    for path in LEAVES:
        config_of(path)
