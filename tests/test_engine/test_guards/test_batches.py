"""Batches that cannot be made, before the first iteration."""

import random

import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler, pseudo_collate
from mmengine.model import BaseModel
from mmseg.models import SegDataPreProcessor
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from mmvit.engine.guards.batches import (
    check_last_batch,
    check_stacking,
    leaves_one,
)


class Images:
    def __init__(self, folder, *sizes):
        self.infos = {}
        for index, size in enumerate(sizes):
            path = folder / f'{index}.png'
            Image.new('RGB', size).save(path)
            self.infos[index] = dict(img_path=str(path), size=size)

    def __len__(self):
        return len(self.infos)

    def __getitem__(self, index):
        random.random()
        width, height = self.infos[index]['size']
        return dict(inputs=torch.zeros(3, height, width))


class Model(BaseModel):
    """Has batch normalization over maps of a size."""

    def __init__(self, side=1):
        super().__init__(SegDataPreProcessor())
        self.norm = nn.BatchNorm2d(3)
        self.side = side

    def _run_forward(self, data, mode):
        x = torch.stack([one.float() for one in data['inputs']])
        return self.norm(x[..., : self.side, : self.side])

    forward = _run_forward


def loader(data, size, **options):
    options.setdefault('sampler', DefaultSampler(data, shuffle=True))
    collate = pseudo_collate
    return DataLoader(data, size, collate_fn=collate, **options)


def test_images_of_two_sizes(tmp_path):
    data = Images(tmp_path, (8, 6), (8, 6), (6, 8))
    state = random.getstate()
    with pytest.raises(ValueError) as error:
        check_stacking(loader(data, 2), data.infos, Model(), 'val_dataloader')
    text = str(error.value)
    for part in ('val_dataloader.batch_size is 2', '0.png', '2.png', 'pad'):
        assert part in text
    assert random.getstate() == state
    check_stacking(loader(data, 1), data.infos, Model(), 'val_dataloader')
    same = Images(tmp_path, (8, 6), (8, 6))
    check_stacking(loader(same, 2), same.infos, Model(), 'val_dataloader')


def test_what_leaves_one(tmp_path):
    data = Images(tmp_path, *[(8, 8)] * 5)
    assert leaves_one(loader(data, 2)) and leaves_one(loader(data, 4))
    assert leaves_one(loader(data, 1)) and not leaves_one(loader(data, 3))
    assert not leaves_one(loader(data, 2, drop_last=True))
    endless = loader(data, 2, sampler=InfiniteSampler(data))
    assert not leaves_one(endless)


@pytest.mark.parametrize(('side', 'fits'), [(1, False), (2, True)])
def test_a_last_batch_of_one(tmp_path, side, fits):
    data = Images(tmp_path, *[(8, 8)] * 5)
    model = Model(side)
    model.data_preprocessor.forward = lambda batch, training: batch
    before = {k: v.clone() for k, v in model.state_dict().items()}
    if fits:
        check_last_batch(loader(data, 2), model)
    else:
        with pytest.raises(ValueError, match='drop_last=True'):
            check_last_batch(loader(data, 2), model)
        with pytest.raises(ValueError, match='batch_size is 1'):
            check_last_batch(loader(data, 1), model)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    check_last_batch(loader(data, 3), model)
    model.eval()
    check_last_batch(loader(data, 2), model)
