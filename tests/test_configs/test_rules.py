"""How configs inherit from each other, as docs/en/configs.md describes it."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.config_tools import FILES, LEAVES

MAX_DEPTH = 4
MAX_LINES_OF_A_FIRST_CONFIG = 40
MAX_LINES_OF_A_VARIANT = 9

# One level more: their decoders share the encoder of SETR-Naive, and their 80k
# inherits from 40k, or their 60 classes from 59; the data sets of one's own
# inherit from own_det.py.
DEEPER = re.compile(
    r'setr-(pup|mla)_(beit-l|deit-b|vit-l-2step)_8xb1-80k_.*'
    r'|setr-mla_vit-l-released_.*'
    r'|setr-mla_vit-l_8xb1-lr2e-3-80k_.*'
    r'|mask-rcnn_pale-nano_.*'
)

# Variants that have more to say, and what it is.
LONG_VARIANTS = {
    'focal-l_8xb128-30e_in1k': 'a recipe for fine-tuning',
    'focal-l_8xb128-90e_in21k': 'another data set, without validation',
    'focal-t-w14_8xb128-300e_in1k': 'sizes of windows and regions',
    'mask-rcnn_focal-t-w14_fpn_1x_coco': 'sizes of windows and regions',
    'mask-rcnn_scalablevit-s_fpn_ms-3x_coco': 'another optimizer for 3x',
    'retinanet_scalablevit-s_fpn_ms-3x_coco': 'another optimizer for 3x',
    'setr-mla_vit-l_8xb2-160k_ade20k-trainval-512x512': 'two data sets',
}

# A shorter schedule that inherits from a longer one of something else.
FROM_LONGER = {
    'focal-l_8xb128-30e_in1k': 'fine-tuning inherits from pre-training',
    'focal-l_8xb128-90e_in21k': 'a larger data set has fewer epochs',
    'trans2seg_pvt-s_4xb4-40k_ade20k-512x512': 'all else is of fpn_pvt-s',
}


def names_of_bases(path: Path) -> list[str]:
    """What a config names as its bases, in their order."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == '_base_':
            names = ast.literal_eval(node.value)
            return [names] if isinstance(names, str) else names
    return []


@functools.cache
def bases_of(path: Path) -> tuple[Path, ...]:
    """The files under configs/ that a config names as its bases."""
    return tuple(
        (path.parent / name).resolve()
        for name in names_of_bases(path)
        if '::' not in name and not name.endswith('prefixes.py')
    )


@functools.cache
def depth_of(path: Path) -> int:
    return 1 + max(map(depth_of, bases_of(path)), default=0)


@functools.cache
def leaves_above(path: Path) -> frozenset[Path]:
    """The leaf configs that a config inherits from, at any distance."""
    above = [base for base in bases_of(path) if '_base_' not in base.parts]
    return frozenset(above).union(*map(leaves_above, above))


def method_of(path: Path) -> str:
    """The first part of the name; classifiers have none."""
    parts = path.stem.split('_')
    return parts[0] if len(parts) > 3 else ''


def length_of(path: Path) -> tuple[str, int] | None:
    """Unit and length of the schedule, as the name states them."""
    settings = path.stem.split('_')[-2]
    found = re.search(r'(?:^|-)(\d+)([xek])$', settings)
    return found and (found[2], int(found[1]))


def without_schedule(path: Path) -> tuple[str, ...]:
    parts = path.stem.split('_')
    return *parts[:-2], parts[-1]


def inherits_from_shorter(path: Path) -> bool:
    unit, length = length_of(path)
    above = [length_of(leaf) for leaf in leaves_above(path)]
    lengths = {of[1] for of in above if of and of[0] == unit}
    others = [
        length_of(leaf)
        for leaf in LEAVES
        if without_schedule(leaf) == without_schedule(path)
    ]
    shorter = {of[1] for of in others if of[0] == unit and of[1] < length}
    return shorter <= lengths and (
        path.stem in FROM_LONGER or max(lengths, default=0) <= length
    )


def test_values_of_bases_are_python() -> None:
    braces = [path.name for path in FILES if '{{' in path.read_text()]
    assert not braces, 'write _base_.name'


def test_depth() -> None:
    for path in LEAVES:
        deeper = DEEPER.fullmatch(path.stem) is not None
        assert depth_of(path) <= MAX_DEPTH + deeper, path.name


def loaded_by(path: Path) -> Iterator[str]:
    """What mmengine loads for a config, in its order."""
    for name in names_of_bases(path):
        if '::' not in name:
            yield from loaded_by((path.parent / name).resolve())
        yield name


def test_mmseg_is_found_where_mmvit_is_not_imported() -> None:
    files = [path for path in FILES if "'mmseg::" in path.read_text()]
    assert len(files) > 10
    for path in files:
        loaded = [Path(name).name for name in loaded_by(path)]
        theirs = [n for n in loaded_by(path) if n.startswith('mmseg::')]
        first = loaded.index(Path(theirs[0]).name)
        assert 'prefixes.py' in loaded[:first], path.name


def test_length_of_files() -> None:
    for path in LEAVES:
        lines = len(path.read_text().splitlines())
        if method_of(path) not in map(method_of, leaves_above(path)):
            assert lines <= MAX_LINES_OF_A_FIRST_CONFIG, path.name
        elif path.stem not in LONG_VARIANTS:
            assert lines <= MAX_LINES_OF_A_VARIANT, path.name


def test_longer_schedules_inherit_from_shorter_ones() -> None:
    for path in LEAVES:
        assert not length_of(path) or inherits_from_shorter(path), path.name


def test_exceptions_are_configs() -> None:
    stems = {path.stem for path in LEAVES}
    assert stems.issuperset(LONG_VARIANTS)
    assert stems.issuperset(FROM_LONGER)


@pytest.mark.parametrize(
    ('stem', 'expected'),
    [
        ('retinanet_pvt-s_fpn_scratch-ms-3x_coco', ('x', 3)),
        ('pup_hlg-s_4xb2-adamw-80k_cityscapes-768x768', ('k', 80)),
        ('pale-t_8xb128-300e_in1k', ('e', 300)),
        ('fpn_pvt-nano_1xb8_digit-scenes-128x128', None),
    ],
)
def test_schedules_are_read_from_names(stem: str, expected: tuple) -> None:
    assert length_of(Path(f'{stem}.py')) == expected
