"""Models and backbones by name."""

import pytest
import torch

import mmvit
from mmvit.checkpoints import zoo
from mmvit.models.backbones import PVT, FocalTransformer, SETRViT
from tests.support.tiny import TASKS, tiny_config

NANO = 'pvt-nano_1xb32-15e_digit-scenes-64x64'


def test_by_name_and_by_path(fresh_runs) -> None:
    model = mmvit.get_model(NANO)
    assert not model.training
    assert type(model.backbone) is PVT
    assert model.dataset_meta['classes'] == tuple('0123456789')
    again = mmvit.get_model(
        str(mmvit.names.find_config(NANO)),
        cfg_options={'model.head.num_classes': 7},
    )
    assert again.head.num_classes == 7
    # Drawn as at the start of a training, not as torch draws
    std = model.backbone.stages[0].blocks[0].mlp.fc1.weight.std()
    assert 0.01 < std < 0.03


def test_weights_of_a_file(tmp_path, fresh_runs) -> None:
    model = mmvit.get_model(NANO)
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    again = mmvit.get_model(NANO, pretrained=str(path))
    for name, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    backbone = mmvit.get_backbone('pvt-nano', pretrained=str(path))
    found = backbone.state_dict()
    other = model.backbone.state_dict()
    name = 'stages.0.blocks.0.attn.q.weight'
    assert torch.equal(found[name], other[name])


def test_published_weights(monkeypatch, fresh_runs) -> None:
    asked = []

    def fetch(name):
        asked.append(name)
        raise ValueError('asked')

    monkeypatch.setattr(zoo, 'fetch', fetch)
    for build in (mmvit.get_model, mmvit.get_backbone):
        name = 'pvt-t' if build is mmvit.get_backbone else 'pvt-t_8xb128-300e'
        name = name if build is mmvit.get_backbone else f'{name}_in1k'
        with pytest.raises(ValueError, match='asked'):
            build(name, pretrained=True)
    assert asked == ['mmvit://pvt-t_in1k'] * 2
    with pytest.raises(ValueError, match='no published weights are known'):
        mmvit.get_model(NANO, pretrained=True)


@pytest.mark.parametrize('task', TASKS)
def test_a_loaded_config(task, scenes, fresh_runs) -> None:
    cfg = tiny_config(task, scenes)
    model = mmvit.get_model(cfg)
    assert model.cfg is not cfg
    assert len(model.dataset_meta.get('classes', 'ab')) in (2, 3)


@pytest.mark.parametrize(
    ('name', 'kind', 'channels', 'strides'),
    [
        ('pvt-t', PVT, (64, 128, 320, 512), (4, 8, 16, 32)),
        ('focal-t-conv', FocalTransformer, (96, 192, 384, 768), None),
        ('vit-l', SETRViT, None, None),
    ],
)
def test_backbones(name, kind, channels, strides) -> None:
    with torch.device('meta'):
        backbone = mmvit.get_backbone(name)
        maps = backbone(torch.zeros(1, 3, 64, 96))
    assert type(backbone) is kind and backbone.training
    assert backbone.out_channels == tuple(x.shape[1] for x in maps)
    assert backbone.out_strides == tuple(64 // x.shape[2] for x in maps)
    assert channels in (None, backbone.out_channels)
    assert strides in (None, backbone.out_strides)


def test_arguments_of_a_backbone() -> None:
    with torch.device('meta'):
        backbone = mmvit.get_backbone(
            'pvt-t', out_indices=(1, 2), drop_path_rate=0.3
        )
    assert backbone.out_strides == (8, 16)
    assert len(backbone.stages) == 3
    assert backbone.drop_path_rates[-1] == pytest.approx(0.3)
    assert mmvit.get_backbone('pvt-nano').drop_path_rates[-1] == 0
    with torch.device('meta'):
        of_four = mmvit.get_backbone('pvt-t', in_channels=4)
        assert len(of_four(torch.zeros(1, 4, 32, 32))) == 4


def test_a_config_without_a_test(fresh_runs) -> None:
    with torch.device('meta'):
        model = mmvit.get_model('focal-l_8xb128-90e_in21k')
    assert model.dataset_meta == {}


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match='near it: pvt-'):
        mmvit.get_backbone('pvt-x')
    # Of mmpretrain, in a config of ours
    with pytest.raises(ValueError, match='no backbone'):
        mmvit.get_backbone('swin-t')
    with pytest.raises(ValueError, match='mmvit has no model'):
        mmvit.get_model('pvt-t')


def test_a_name_that_mmdet_has_too(capsys, fresh_runs) -> None:
    with torch.device('meta'):
        model = mmvit.get_model('retinanet_pvt-t_fpn_1x_coco')
    assert type(model.backbone) is PVT
    assert "mmdet's is 'mmdet::pvt/" in capsys.readouterr().out
