"""Models by name."""

import subprocess
import sys
from pathlib import Path

import pytest

import mmvit
from mmvit import names
from tests.support.config_tools import LEAVES, METAFILES, models_in
from tests.support.helpers import ROOT, clean_environment


def test_all_configs_have_a_name_of_their_own() -> None:
    assert mmvit.list_models() == sorted(path.stem for path in LEAVES)
    for path in LEAVES:
        assert names.find_config(path.stem).samefile(path)


def test_patterns() -> None:
    found = mmvit.list_models('retinanet_pvt*')
    assert 'retinanet_pvt-t_fpn_1x_coco' in found
    assert all(name.startswith('retinanet_pvt') for name in found)
    assert mmvit.list_models('pvt-[ts]_*_in1k') == [
        'pvt-s_8xb128-300e_in1k',
        'pvt-t_8xb128-300e_in1k',
    ]
    assert mmvit.list_models('nothing*') == []


def test_backbones() -> None:
    found = mmvit.list_backbones()
    assert {'pvt-t', 'focal-t-conv', 'hlg-mobile', 'vit-l'} <= set(found)
    # Of the libraries, in configs of ours
    assert not {'r50', 'swin-t', 'vit-s-p32', 'r101-d8'} & set(found)
    assert mmvit.list_backbones('pvt-?') == [f'pvt-{size}' for size in 'lmst']
    for backbone, model in names.backbone_models().items():
        assert backbone in model.split('_')


@pytest.mark.parametrize(
    ('wrong', 'near'),
    [
        ('pvt-t_8xb128-300_in1k', 'pvt-t_8xb128-300e_in1k'),
        ('PVT-T', 'pvt-t_8xb128-300e_in1k'),
        ('fpn_pvt_nano', 'fpn_pvt-nano_1xb8_digit-scenes-128x128'),
        ('setr-pup_vit-large', 'setr-pup_vit-l_8xb1-40k_cityscapes-768x768'),
    ],
)
def test_a_wrong_name_gets_similar_ones(wrong: str, near: str) -> None:
    with pytest.raises(ValueError, match=f'near it: .*{near}'):
        names.find_config(wrong)


def test_nothing_is_like_some_names() -> None:
    assert names.near_it('', ['pvt-t']) == ''
    assert names.near_it('xyzxyzxyz', ['pvt-t', 'pvt-s']) == ''
    assert names.near_it('pvt_tiny', ['vit', 'pvt-t']) == '; near it: pvt-t'


def test_a_name_or_our_own_file() -> None:
    name = 'pvt-t_8xb128-300e_in1k'
    assert names.name_of(name) == name
    assert names.name_of(str(ROOT / f'configs/pvt/{name}.py')) == name
    assert names.name_of(str(ROOT / f'configs/{name}.py')) is None
    assert names.name_of('resnet50_8xb32_in1k') is None


def test_published_weights_are_those_of_the_metafiles() -> None:
    weights = {
        model['Name']: model.get('Weights')
        for file in METAFILES
        if file.parent.name in ('pvt', 'pale')
        for model in models_in(file)
    }
    for name in (
        'pvt-t_8xb128-300e_in1k',
        'pale-t_8xb128-300e_in1k',
        'fpn_pvt-nano_1xb8_digit-scenes-128x128',
    ):
        assert names.published_weights(name) == weights.get(name)
    assert names.published_weights('pvt-t_8xb128-300e_in1k')


def test_a_library_with_a_model_of_the_same_name() -> None:
    name = 'retinanet_pvt-t_fpn_1x_coco'
    assert names.same_name(name, 'mmdet') == f'mmdet::pvt/{name}.py'
    assert names.same_name(name, 'mmseg') is None
    assert names.same_name(name, 'no_library') is None


def test_listing_imports_nothing_slow(tmp_path: Path) -> None:
    code = (
        'import sys, mmvit; print(len(mmvit.list_models())); '
        "print({'torch', 'mmengine', 'mmcv', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(len(LEAVES)), 'set()']


def test_names_of_the_package() -> None:
    assert set(mmvit.__all__) <= set(dir(mmvit))
    with pytest.raises(AttributeError, match='no_such_name'):
        mmvit.no_such_name  # noqa: B018
