"""Who serves mmcv.ops: what `import mmvit` prepares, and what is missing."""

import sys

import mmcv.ops
import pytest
import torch

from mmvit import on_import
from mmvit.operators import MissingOperatorError, operators_in_use
from mmvit.stack import COMPILE_MMCV
from tests.support.helpers import in_forks, printed, run_python

# mmcv looks for its compiled module in a folder of the test first.
FOLDER = """
import mmcv
mmcv.__path__.insert(0, {folder!r})
import {module}
from mmvit.operators import operators_in_use
print(mmcv._ext.nms.__module__, operators_in_use())
"""
# The file, its content, and what imports it.
COMPILED = {
    'works': ('_ext.py', 'def nms(*_, **__): ...', 'mmcv._ext'),
    'no library': ('_ext.so', 'no library', 'mmcv.ops'),
    # Compiled for another torch it may load and fail when it is used.
    'fails': (
        '_ext.py',
        'def nms(*_, **__): raise RuntimeError("_ext.so: device")',
        'mmcv.ops',
    ),
}


def run(code):
    done = run_python('-c', code)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_a_plain_mmdet_script_works():
    out = run("""
import mmvit
import torch
from mmdet.models.layers import multiclass_nms
boxes = torch.tensor([[0., 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
scores = torch.tensor([[.9, .0], [.8, .0], [.7, .0]])
dets, labels = multiclass_nms(
    boxes, scores, 0.05, dict(type='nms', iou_threshold=0.5))
print(len(dets))
""")
    assert out.strip() == '2'


@pytest.mark.slow
def test_compiled_operators_are_preferred_if_they_work(tmp_path):
    codes = []
    for name, (file, content, module) in COMPILED.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / file).write_text(content)
        codes.append(FOLDER.format(folder=str(folder), module=module))
    preload = 'import mmvit, torch, torchvision, mmengine'
    done = run_python('-c', in_forks(preload, codes))
    preferred, *replaced = printed(done)
    assert preferred == f'mmcv._ext compiled ({tmp_path}/works/_ext.py)'
    for text in replaced:
        assert text.startswith('mmvit.operators.boxes torchvision')
        assert 'the compiled ones fail' in text and '_ext.so' in text


@pytest.mark.slow
@pytest.mark.parametrize('first', ['mmvit', 'mmengine.config'])
def test_prefixes_are_known_in_any_order(first):
    last = {'mmvit': 'mmengine.config', 'mmengine.config': 'mmvit'}[first]
    out = run(f"""
import {first}
import {last}
from mmengine.config import Config
text = "_base_ = ['mmseg::_base_/models/fpn_r50.py']"
print(Config.fromstring(text, '.py').model.type)
""")
    assert out.strip() == 'EncoderDecoder'


def test_preparing_again_changes_nothing():
    before = list(sys.meta_path)
    on_import.prepare()
    assert sys.meta_path == before


def test_other_operators_can_be_imported_and_say_what_to_do(served):
    assert callable(served.box_iou_rotated)
    with pytest.raises(MissingOperatorError) as error:
        served.box_iou_rotated(torch.zeros(1, 5))
    assert "'box_iou_rotated'" in str(error.value)
    assert COMPILE_MMCV in str(error.value)
    assert not hasattr(served, '__wrapped__')


def test_a_missing_operator_through_mmcv(served, monkeypatch):
    monkeypatch.setattr(
        sys.modules['mmcv.ops.box_iou_rotated'], 'ext_module', served
    )
    box = torch.tensor([[0.0, 0, 2, 2, 0]])
    with pytest.raises(MissingOperatorError, match='box_iou_rotated'):
        mmcv.ops.box_iou_rotated(box, box)


def test_a_report_says_which_are_in_use():
    kind = operators_in_use().split()[0]
    compiled = getattr(sys.modules['mmcv._ext'], '__file__', None)
    assert kind == ('compiled' if compiled else 'torchvision')
