"""PVT + DETR: what of a padded batch is masked, and what is matched."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmvit.apis.config import build_model, load_config
from tests.support.helpers import ROOT

CONFIG = (
    ROOT / 'configs/quickstart/detr_pvt-nano_1xb16-24e_digit-scenes-64x64.py'
)


@pytest.fixture
def detr(fresh_runs) -> nn.Module:
    torch.manual_seed(0)
    return build_model(load_config(str(CONFIG)))


def sample(
    height: int, width: int, boxes: list[list[float]]
) -> dict[str, Tensor | DetDataSample]:
    truth = DetDataSample(metainfo=dict(img_shape=(height, width)))
    truth.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).view(-1, 4),
        labels=torch.arange(len(boxes)) % 10,
    )
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
    return dict(inputs=image, data_samples=truth)


def batch_of(detr: nn.Module, *samples: dict) -> dict:
    lists = {k: [s[k] for s in samples] for k in ('inputs', 'data_samples')}
    return detr.data_preprocessor(lists, True)


def test_padding_is_no_key(detr) -> None:
    seen = {}
    detr.encoder.register_forward_pre_hook(
        lambda _, __, kwargs: seen.update(kwargs), with_kwargs=True
    )
    data = batch_of(detr, sample(96, 64, []), sample(64, 160, []))
    with torch.no_grad():
        detr(**data, mode='tensor')
    # 96 x 160 pixels, stride 8: True is padding
    mask = seen['key_padding_mask'].view(2, 12, 20)
    expected = torch.ones(2, 12, 20, dtype=torch.bool)
    expected[0, :12, :8] = False
    expected[1, :8, :20] = False
    assert torch.equal(mask, expected)


def test_each_box_gets_one_query(detr) -> None:
    boxes = [[4.0, 4.0, 30.0, 40.0], [50.0, 20.0, 90.0, 60.0]]
    data = batch_of(detr, sample(96, 128, boxes))
    head = detr.bbox_head
    truth = data['data_samples'][0]
    found = torch.rand(20, 4) * 0.2 + 0.4
    scores = torch.zeros(20, 11)
    # Queries 7 and 3 hold the boxes (centre and size, as shares).
    for query, box in zip((7, 3), boxes):
        x0, y0, x1, y1 = (a / b for a, b in zip(box, (128, 96, 128, 96)))
        found[query] = torch.tensor(
            [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]
        )
    labels, _, targets, *_, positive, negative = head._get_targets_single(
        scores, found, truth.gt_instances, truth.metainfo
    )
    assert positive.tolist() == [3, 7] and len(negative) == 18
    assert labels[[7, 3]].tolist() == [0, 1]
    torch.testing.assert_close(targets[[7, 3]], found[[7, 3]])


@pytest.mark.parametrize('size', [(97, 131), (33, 65)])
def test_losses_at_odd_sizes_reach_every_parameter(detr, size) -> None:
    detr.train()
    data = batch_of(
        detr, sample(*size, [[2.0, 2.0, 20.0, 30.0]]), sample(64, 64, [])
    )
    losses = detr(**data, mode='loss')
    total = sum(v.sum() for k, v in losses.items() if 'loss' in k)
    assert total.isfinite()
    total.backward()
    missing = [n for n, p in detr.named_parameters() if p.grad is None]
    assert not missing


def test_no_box_at_all(detr) -> None:
    detr.train()
    data = batch_of(detr, sample(64, 64, []), sample(64, 96, []))
    losses = detr(**data, mode='loss')
    assert all(v.isfinite().all() for v in losses.values())
    sum(v.sum() for v in losses.values()).backward()
    assert all(p.grad is not None for p in detr.parameters())
