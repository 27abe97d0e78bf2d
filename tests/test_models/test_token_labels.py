import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import BaseDataElement
from torch import nn

from mmvit.models import (
    MixToken,
    TokenLabelHead,
    TokenLabelPreprocessor,
)
from mmvit.models.token_labels.preprocessor import flip_tokens, to_scores
from mmvit.registry import MODELS
from tests.test_models.test_backbones.test_contract import BACKBONES, TINY

NUM_CLASSES = 4


def test_mixing_moves_labels_with_their_tokens():
    """Images of one value each, whose tokens have that class."""
    np.random.seed(0)
    values = torch.arange(4)
    images = values.float().view(4, 1, 1, 1).expand(4, 3, 96, 128).clone()
    scores = nn.functional.one_hot(values, 4).float()
    scores = scores[:, None].expand(4, 1 + 12, 4).clone()
    shares = set()
    for _ in range(20):
        mixed, mixed_scores = MixToken(stride=32)(images, scores)
        patches = mixed[:, 0].unfold(1, 32, 32).unfold(2, 32, 32)
        assert (patches.amax((3, 4)) == patches.amin((3, 4))).all()
        classes = mixed_scores[:, 1:].argmax(-1).view(4, 3, 4)
        assert (patches[..., 0, 0] == classes).all()
        assert (mixed_scores[:, 1:].amax(-1) == 1).all()
        # The image's scores are the shares of what it shows.
        own = (mixed[:, 0] == values.view(4, 1, 1)).float().mean((1, 2))
        torch.testing.assert_close(mixed_scores[range(4), 0, values], own)
        shares.add(round(own[0].item(), 3))
    assert len(shares) > 3
    assert (images == values.view(4, 1, 1, 1)).all(), 'not in place'


def test_mixing_takes_plain_scores_as_mmpretrain_does():
    np.random.seed(1)
    images, scores = torch.rand(2, 3, 64, 64), torch.eye(2)
    mixed, mixed_scores = MixToken(stride=16)(images, scores)
    assert mixed.shape == images.shape and mixed_scores.shape == (2, 2)
    torch.testing.assert_close(mixed_scores.sum(1), torch.ones(2))
    with pytest.raises(ValueError, match='3x2'):
        MixToken(stride=32)(torch.rand(2, 3, 96, 64), torch.rand(2, 5, 2))
    with pytest.raises(ValueError, match='alpha'):
        MixToken(alpha=0.0)


def test_scores_of_a_map_by_hand():
    """Two cells: class 0 with score 2 on the left, class 2 with 3."""
    labels = torch.tensor([[[[2.0, 3.0]]], [[[0.0, 2.0]]]])
    whole = to_scores(labels, torch.tensor([0.0, 0, 1, 1]), (1, 2), 3)
    left = torch.tensor([2.0, 0, 0])
    right = torch.tensor([0.0, 0, 3])
    expected = torch.stack([(left + right) / 2, left, right]).softmax(-1)
    torch.testing.assert_close(whole, expected)
    half = to_scores(labels, torch.tensor([0.5, 0, 1, 1]), (1, 1), 3)
    torch.testing.assert_close(half, right.softmax(-1).expand(2, 3))
    flipped = flip_tokens(whole, (1, 2), 'horizontal')
    torch.testing.assert_close(flipped, whole[[0, 2, 1]])
    with pytest.raises(ValueError, match='class 2, but num_classes is 2'):
        to_scores(labels, torch.tensor([0.0, 0, 1, 1]), (1, 2), 2)


def test_loss_by_hand():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 1, 4)
    scores = torch.rand(2, 3).softmax(-1)
    token_scores = torch.rand(2, 4, 3).softmax(-1)
    samples = [
        BaseDataElement(gt_score=scores[b], gt_token_score=token_scores[b])
        for b in range(2)
    ]
    head = TokenLabelHead(3, 5, token_weight=0.3)
    losses = head.loss((x,), samples)
    tokens = head.token_fc(x[:, :, 0].transpose(1, 2)).log_softmax(-1)
    logits = head.fc(x.mean((2, 3))).log_softmax(-1)
    image = -(scores * logits).sum() / 2
    token = -(token_scores * tokens).sum() / 8
    torch.testing.assert_close(losses['loss_image'], image)
    torch.testing.assert_close(losses['loss_tokens'], 0.3 * token)


def test_head_by_hand():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 3, 4)
    head = TokenLabelHead(NUM_CLASSES, 5)
    nn.init.normal_(head.fc.bias)
    nn.init.normal_(head.token_fc.bias)
    tokens = x.permute(0, 2, 3, 1).reshape(2, 12, 5)
    expected = head.fc(x.mean((2, 3))) + 0.5 * head.token_fc(tokens).amax(1)
    torch.testing.assert_close(head((x,)), expected)
    (sample,) = head.predict((x[:1],))
    torch.testing.assert_close(sample.pred_score, expected[0].softmax(0))
    with pytest.raises(ValueError, match='remove the neck'):
        head((x.mean((2, 3)),))
    with pytest.raises(ValueError, match='LoadTokenLabels'):
        head.loss((x[:1],), [sample])


def classifier(backbone: str) -> nn.Module:
    cfg = dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(
            type=f'mmvit.{backbone}', arch=TINY[backbone], out_indices=(3,)
        ),
        head=dict(
            type='mmvit.TokenLabelHead',
            num_classes=NUM_CLASSES,
            in_channels=TINY[backbone]['embed_dims'][-1],
        ),
        train_cfg=dict(augments=[dict(type='mmvit.MixToken')]),
        data_preprocessor=dict(
            type='mmvit.TokenLabelPreprocessor',
            mean=[0.5] * 3,
            std=[0.5] * 3,
            num_classes=NUM_CLASSES,
        ),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg)


def batch(size: int = 3) -> dict:
    samples = []
    for _ in range(size):
        sample = MODELS.build(dict(type='mmpretrain.ClsHead')).predict(
            (torch.zeros(1, NUM_CLASSES),)
        )[0]
        sample.set_gt_label(1)
        sample.set_field(
            torch.stack(
                [torch.rand(2, 5, 5), torch.randint(4, (2, 5, 5)).float()]
            ),
            'token_labels',
        )
        sample.set_field(torch.tensor([0.1, 0.2, 0.8, 1.0]), 'token_label_box')
        samples.append(sample)
    images = [torch.rand(3, 65, 96) for _ in range(size)]
    return dict(inputs=images, data_samples=samples)


@pytest.mark.parametrize('backbone', BACKBONES)
def test_every_backbone_trains_and_predicts(backbone):
    torch.manual_seed(0)
    model = classifier(backbone)
    data = model.data_preprocessor(batch(), training=True)
    first = data['data_samples'][0]
    assert first.gt_token_score.shape == (9, NUM_CLASSES)
    assert 'token_labels' not in first, 'the map is done with'
    total = first.gt_token_score.sum(-1)
    torch.testing.assert_close(total, torch.ones(9))
    assert first.gt_token_score.min() >= 0.1 / NUM_CLASSES
    losses = model(**data, mode='loss')
    sum(losses.values()).backward()
    for name, param in model.named_parameters():
        assert param.grad is not None and param.grad.isfinite().all(), name
    model.eval()
    samples = model.test_step(batch())
    assert [len(s.pred_score) for s in samples] == [NUM_CLASSES] * 3


def test_preprocessor_is_mmpretrains_without_label_maps():
    settings = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], to_rgb=True)
    ours = TokenLabelPreprocessor(num_classes=4, **settings)
    theirs = MODELS.build(
        dict(type='mmpretrain.ClsDataPreprocessor', num_classes=4, **settings)
    )
    for training in (False, True):
        data = batch()
        for sample in data['data_samples']:
            del sample.token_labels
        outs = [part(data, training) for part in (ours, theirs)]
        torch.testing.assert_close(outs[0]['inputs'], outs[1]['inputs'])
