"""Names of ours from every library's configs; theirs through ours; no pip."""

import importlib
import subprocess

import mmengine.hub
import mmengine.registry
import mmengine.utils.package_utils
import pytest
from mmengine.registry import Registry

import mmvit.registry
from mmvit.apis.config import load_config
from mmvit.models import PVT
from tests.support.helpers import in_forks, printed, run_python
from tests.support.tiny import ARCH

OURS = [
    value
    for value in vars(mmvit.registry).values()
    if isinstance(value, Registry) and value.scope == 'mmvit'
]
LIBRARIES = ('mmdet', 'mmseg', 'mmpretrain')
# A library's own config in a script that never imports mmvit.
IMPORTS = """
import sys
from pathlib import Path
import mmdet.models, mmseg.models, mmpretrain.models
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
"""
STOCK = """
folder = Path(sys.modules[{library!r}].__file__).parent / '.mim/configs'
cfg = Config.fromfile(folder / {file!r})
init_default_scope({library!r})
assert 'mmvit.registry' not in sys.modules
model = dict(cfg.model, backbone=dict(type='mmvit.PVT', arch={arch!r}))
model.pop('pretrained', None)
neck = model.get('neck')
if neck and 'in_channels' in neck:
    neck['in_channels'] = list({arch!r}['embed_dims'])
built = MODELS.build(model)
assert type(built.backbone).__module__ == 'mmvit.models.backbones.pvt'
print('built', type(built).__name__)
"""
STOCK_FILES = dict(
    mmdet='retinanet/retinanet_r50_fpn_1x_coco.py',
    mmseg='sem_fpn/fpn_r50_4xb4-160k_ade20k-512x512.py',
    mmpretrain='resnet/resnet50_8xb32_in1k.py',
)


@pytest.mark.slow
def test_stock_configs_find_pvt(tmp_path):
    codes = [
        STOCK.format(library=library, file=file, arch=ARCH)
        for library, file in STOCK_FILES.items()
    ]
    script = tmp_path / 'script.py'
    script.write_text(in_forks(IMPORTS, codes))
    built = printed(run_python('-m', 'mmvit.operators', str(script)))
    assert [text.splitlines()[-1] for text in built] == [
        'built RetinaNet',
        'built EncoderDecoder',
        'built ImageClassifier',
    ]


@pytest.fixture
def no_pip(monkeypatch):
    """Let every way to an installer fail."""

    def refuse(*args, **_):
        raise AssertionError(f'a command is called: {args}')

    monkeypatch.setattr(mmengine.utils.package_utils, 'call_command', refuse)
    for name in ('check_call', 'call', 'check_output', 'Popen', 'run'):
        monkeypatch.setattr(subprocess, name, refuse)


@pytest.mark.parametrize(
    'path',
    [
        'mmseg::_base_/models/fpn_r50.py',
        'mmdet::_base_/models/retinanet_r50_fpn.py',
        'mmpretrain::_base_/default_runtime.py',
        'mmvit::pvt/pvt-s_8xb128-300e_in1k.py',
        'mmvit::pvt/retinanet_pvt-s_fpn_1x_coco.py',
        'mmvit::pvt/fpn_pvt-s_4xb4-80k_ade20k-512x512.py',
    ],
)
def test_prefixes_resolve(path, no_pip):
    cfg = load_config(path)
    assert 'model' in cfg or 'default_scope' in cfg
    if path.startswith('mmvit::'):
        backbone = cfg.model.backbone
        assert (backbone.type, backbone.arch) == ('mmvit.PVT', 'small')


@pytest.mark.slow
@pytest.mark.parametrize(
    'path',
    [
        'mmseg::fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py',
        'mmvit::pvt/pvt-t_8xb128-300e_in1k.py',
    ],
)
def test_hub_installs_nothing(path, no_pip):
    # For `mmseg::` mmengine alone would run `pip install mmsegmentation`.
    assert mmengine.hub.get_config(path).model


# The paper's own name for the decoder, which mmseg's has too: ours is
# `mmvit.SETRMLAHead`, and a test holds the two to the same function.
SHARED_NAMES = {'SETRMLAHead'}


def test_names_are_ours_alone():
    taken = {}
    for library in LIBRARIES:
        module = importlib.import_module(f'{library}.registry')
        for registry in vars(module).values():
            if isinstance(registry, Registry):
                registry.import_from_location()
                taken[library, registry.name] = set(registry.module_dict)
    for registry in vars(mmengine.registry).values():
        if isinstance(registry, Registry):
            taken['mmengine', registry.name] = set(registry.module_dict)
    assert len(set().union(*taken.values())) > 1000
    ours = set()
    for registry in OURS:
        registry.import_from_location()
        ours |= set(registry.module_dict)
    assert {'PVT', 'GuardedRunner', 'SafeCheckpointHook'} <= ours
    for place, names in taken.items():
        assert not (ours & names) - SHARED_NAMES, place


def test_registries_are_children_of_the_root():
    assert len(OURS) >= 3
    for registry in OURS:
        assert registry.parent.scope == 'mmengine'
        assert registry.parent.children['mmvit'] is registry


@pytest.mark.parametrize('scope', [None, *LIBRARIES])
def test_a_name_gives_the_same_class_everywhere(scope):
    if scope:
        registry = importlib.import_module(f'{scope}.registry').MODELS
    else:
        registry = mmengine.registry.MODELS
    assert registry.get('mmvit.PVT') is PVT
    assert registry.get('PVT') is None, 'the prefix is needed'


def test_modes_return_the_model():
    model = PVT(arch=ARCH)
    assert model.eval() is model
    assert model.train() is model
    assert model.train(False) is model
    assert not model.training
