"""The libraries' own functions with our models, by name and by path."""

import mmengine.hub
import mmpretrain.apis.model
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from mmengine.runner import CheckpointLoader
from mmpretrain import ImageClassificationInferencer, inference_model
from mmseg.apis import MMSegInferencer

from mmvit.names import find_config
from tests.support.config_tools import values_of

NAMES = dict(
    cls='pvt-nano_1xb32-15e_digit-scenes-64x64',
    det='retinanet_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128',
    seg='fpn_pvt-nano_1xb8_digit-scenes-128x128',
)


@pytest.fixture
def image(scenes):
    return str(scenes / 'img_dir/val/val_0.jpg')


def test_types_keep_the_scope_of_their_file(tmp_path) -> None:
    child = tmp_path / 'child.py'
    child.write_text("_base_ = 'mmvit::pvt/pvt-t_8xb128-300e_in1k.py'\n")
    here = Config.fromfile(child)
    there = Config.fromfile(find_config('pvt-t_8xb128-300e_in1k'))
    assert here.to_dict() == there.to_dict()
    child.write_text("_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'\n")
    assert Config.fromfile(child).model._scope_ == 'mmdet'


@pytest.mark.parametrize(
    ('name', 'library'),
    [
        ('pvt/pvt-t_8xb128-300e_in1k', 'mmpretrain'),
        ('pvt/retinanet_pvt-t_fpn_1x_coco', 'mmdet'),
        ('hlg/pup_hlg-s_8xb2-160k_ade20k-512x512', 'mmseg'),
    ],
)
def test_the_hub_builds_our_models(name, library, fresh_runs) -> None:
    cfg = mmengine.hub.get_config(f'mmvit::{name}.py')
    assert not set(values_of('_scope_', cfg.to_dict())) & {'mmvit'}
    with torch.device('meta'):
        model = mmengine.hub.get_model(f'mmvit::{name}.py')
    assert type(model).__module__.startswith(f'{library}.')
    assert type(model.backbone).__module__.startswith('mmvit.')


def test_the_hub_knows_published_weights() -> None:
    cfg = mmengine.hub.get_config(
        'mmvit::pvt/pvt-t_8xb128-300e_in1k.py', pretrained=True
    )
    assert cfg.model_path == 'mmvit://pvt-t_in1k'
    loader = CheckpointLoader._get_checkpoint_loader(cfg.model_path)
    assert loader.__name__ == 'load_from_zoo'


@pytest.mark.parametrize('by', ['name', 'path'])
def test_detector(by, image, fresh_runs) -> None:
    name = NAMES['det']
    model = name if by == 'name' else str(find_config(name))
    infer = DetInferencer(model, device='cpu', show_progress=False)
    (found,) = infer([image])['predictions']
    assert len(found['labels']) == len(found['bboxes'])


@pytest.mark.parametrize('by', ['name', 'path'])
def test_segmentor(by, image, fresh_runs) -> None:
    name = NAMES['seg']
    model = name if by == 'name' else str(find_config(name))
    infer = MMSegInferencer(model, device='cpu', show_progress=False)
    assert infer(image)['predictions'].shape == (64, 64)


@pytest.mark.parametrize('by', ['name', 'path'])
def test_classifier(by, image, fresh_runs) -> None:
    name = NAMES['cls']
    model = name if by == 'name' else str(find_config(name))
    (found,) = ImageClassificationInferencer(model, device='cpu')(image)
    same = inference_model(model, image, device='cpu')
    assert found['pred_scores'].shape == same['pred_scores'].shape == (10,)


def test_unknown_names_are_still_errors(fresh_runs) -> None:
    with pytest.raises(ValueError, match='Cannot find model'):
        DetInferencer('no-such-model')
    # A model of ours, but of another task
    with pytest.raises(ValueError, match='Cannot find model'):
        DetInferencer(NAMES['seg'])
    with pytest.raises(ValueError, match='Failed to find'):
        mmpretrain.apis.model.ModelHub.get(NAMES['seg'])


def test_unknown_names_get_near_ones_of_ours(fresh_runs) -> None:
    with pytest.raises(ValueError, match=f'in mmseg; near it: {NAMES["seg"]}'):
        MMSegInferencer('fpn_pvt-nano')
    with pytest.raises(ValueError, match=f'near it: {NAMES["cls"]}'):
        mmpretrain.apis.model.ModelHub.get('pvt-nano')


def test_whose_model_is_taken_is_told(monkeypatch) -> None:
    told = []
    monkeypatch.setattr(
        'mmengine.logging.print_log', lambda text, *_: told.append(text)
    )
    finder = type('Finder', (), dict(scope='mmdet'))()
    find = BaseInferencer._load_model_from_metafile
    cfg, _ = find(finder, 'retinanet_pvt-t_fpn_1x_coco')
    assert cfg.model.backbone.type == 'PyramidVisionTransformer'
    (text,) = told
    assert "is mmdet's own model here" in text
    assert 'configs/pvt/retinanet_pvt-t_fpn_1x_coco.py' in text
    find(finder, 'retinanet_r18_fpn_1x_coco')
    cfg, weights = find(finder, 'mask-rcnn_pvt-t_fpn_1x_coco')
    assert cfg.model.backbone.type == 'mmvit.PVT'
    assert weights == 'mmvit://mask-rcnn_pvt-t_fpn_1x_coco'
    assert told == [text]
