"""The head of token labeling."""

import torch
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmvit.registry import MODELS


@MODELS.register_module()
class TokenLabelHead(BaseModule):
    """Classifiers of the image and of each token of the last map.

    Section 3.1, for networks without a class token: the image's classifier
    reads the mean of the tokens, so there is no neck. As in the release, the
    prediction is the image's logit plus half of the highest of the tokens'.

    Args:
        loss: Config of the loss, which gets both logits and both targets.

    Shape: maps, the last one (B, C, H, W) -> logits (B, K).
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            init_cfg or dict(type='Normal', layer='Linear', std=0.02)
        )
        self.num_classes = num_classes
        self.fc = nn.Linear(in_channels, num_classes)
        self.token_fc = nn.Linear(in_channels, num_classes)
        loss = loss or dict(type='mmvit.TokenLabelLoss')
        self.loss_module = MODELS.build(loss)
        # It has no weights and only writes predictions into samples.
        self.predictor = MODELS.build(dict(type='mmpretrain.ClsHead'))

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Shape: maps, the last one (B, C, H, W) -> tokens (B, N, C)."""
        if not isinstance(feats[-1], Tensor) or feats[-1].ndim != 4:
            raise ValueError(
                'TokenLabelHead needs a map (B, C, H, W) from the backbone: '
                'remove the neck and the class token'
            )
        return feats[-1].flatten(2).transpose(1, 2)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        tokens = self.pre_logits(feats)
        highest = self.token_fc(tokens).amax(1)
        return self.fc(tokens.mean(1)) + 0.5 * highest

    def loss(
        self, feats: tuple[Tensor, ...], data_samples: list[BaseDataElement]
    ) -> dict[str, Tensor]:
        """Compute the losses from the samples' gt_score and gt_token_score."""
        if 'gt_token_score' not in data_samples[0]:
            raise ValueError(
                'samples have no gt_token_score: the pipeline needs '
                'LoadTokenLabels, and the model TokenLabelPreprocessor'
            )
        tokens = self.pre_logits(feats)
        return self.loss_module(
            self.fc(tokens.mean(1)),
            self.token_fc(tokens),
            torch.stack([sample.gt_score for sample in data_samples]),
            torch.stack([sample.gt_token_score for sample in data_samples]),
        )

    def predict(
        self,
        feats: tuple[Tensor, ...],
        data_samples: list[BaseDataElement] | None = None,
    ) -> list[BaseDataElement]:
        """Write pred_score and pred_label into samples; see mmpretrain."""
        return self.predictor.predict((self(feats),), data_samples)
