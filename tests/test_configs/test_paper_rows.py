"""Every row of the papers' tables has a config.

The metafiles hold our copy of the rows: the key `Paper Rows` of a result.
"""

import functools
import re
from pathlib import Path

import pytest

from mmvit.apis.config import load_config
from tests.support.helpers import load_tool

from ..support.config_tools import (
    LEAVES,
    METAFILES,
    ROOT,
    build_on_meta,
    config_of,
    models_in,
)

paper_table = load_tool('dev/paper_table')
# SETR and HLG are one paper. The rows are all that report its own method, and
# those that its authors trained for comparison.
NUMBER = dict(focal=65, hlg=35, pale=45, pvt=40, scalablevit=50, setr=62)
FAMILIES = sorted(NUMBER)
# Neither of the libraries has it.
WITHOUT_CONFIG = ['CrossFormer-S']
HEADLINES = ('Top 1 Accuracy', 'box AP', 'mask AP', 'mIoU')


@functools.cache
def rows_of(family: str) -> list:
    return paper_table.read_paper_rows(
        ROOT / 'configs' / family / 'metafile.yml'
    )


def all_rows() -> list:
    return [row for family in FAMILIES for row in rows_of(family)]


def test_number_of_rows() -> None:
    assert {path.parent.name for path in METAFILES} == set(FAMILIES)
    assert {family: len(rows_of(family)) for family in FAMILIES} == NUMBER
    assert sum(NUMBER.values()) == 297
    assert sum('::' in (row.config or '') for row in all_rows()) == 8


def test_rows_are_different() -> None:
    keys = [
        (r.family, r.table, r.name, r.dataset, r.model) for r in all_rows()
    ]
    assert len(set(keys)) == 297


@pytest.mark.parametrize('family', FAMILIES)
def test_each_row_has_a_config_that_loads(family: str) -> None:
    for row in rows_of(family):
        if row.config is None:
            assert row.name in WITHOUT_CONFIG
        elif '::' in row.config:
            assert load_config(row.config).model, row.name
        else:
            assert ROOT / row.config in LEAVES, row.name
            assert config_of(ROOT / row.config).model, row.name


def test_config_tests_what_the_row_was_tested_on() -> None:
    folders = {
        'ImageNet-1k': 'imagenet',
        'ImageNet-V2': 'imagenetv2',
        'COCO': 'coco',
        'COCO test-dev': 'coco',
        'ADE20K': 'ade',
        'Cityscapes': 'cityscapes',
        'Cityscapes test': 'cityscapes',
        'Pascal Context': 'VOCdevkit',
    }
    for row in all_rows():
        if row.config and '::' not in row.config:
            dataset = config_of(ROOT / row.config).test_dataloader.dataset
            folder = folders[re.split(r',| \(', row.dataset)[0]]
            assert f'data/{folder}' in dataset.data_root, row
            files = str(dataset.to_dict())
            assert ('test-dev' in row.dataset) == ('test-dev' in files), row
            test = row.dataset == 'Cityscapes test'
            assert test == ('leftImg8bit/test' in files), row


def test_multi_scale_rows_have_a_test_of_several_views() -> None:
    for row in all_rows():
        if '(--tta)' in row.dataset:
            views = config_of(ROOT / row.config).tta_pipeline[1].transforms
            assert len(views[0]) * len(views[1]) > 1, row


def test_tables_of_the_rows_are_listed() -> None:
    for metafile in METAFILES:
        for model in paper_table.read_models(metafile):
            listed = model['Metadata'].get('Paper Table', '').split(', ')
            for result in model.get('Results') or []:
                assert set(result.get('Paper Rows', ())) <= set(listed), model


def numbers_in(text: str) -> set[float]:
    return {float(found) for found in re.findall(r'\d+(?:\.\d+)?', text)}


@pytest.mark.parametrize('family', FAMILIES)
def test_readme_has_the_figures(family: str) -> None:
    readme = (ROOT / 'configs' / family / 'README.md').read_text()
    for row in rows_of(family):
        name = row.config or row.name
        name = name if '::' in name else Path(name).name
        lines = [line for line in readme.splitlines() if name in line]
        assert lines, f'{name} is not in README.md'
        shown = numbers_in('\n'.join(lines))
        for key in HEADLINES:
            # A second table that prints another figure is in the text.
            figure = row.figures.get(key)
            assert figure is None or (
                figure in shown or figure in numbers_in(readme)
            ), row


def test_parameters_of_the_libraries_models() -> None:
    for metafile in METAFILES:
        for model in paper_table.read_models(metafile)[
            len(models_in(metafile)) :
        ]:
            if model['Config']:
                built = build_on_meta(load_config(model['Config']))
                counted = sum(p.numel() for p in built.parameters())
                assert model['Metadata']['Parameters'] == counted
