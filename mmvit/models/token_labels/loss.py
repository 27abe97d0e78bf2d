"""The loss of token labeling."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmvit.registry import MODELS


@MODELS.register_module()
class TokenLabelLoss(BaseModule):
    """Cross entropies of the image and of its tokens (Section 3.1).

    Args:
        token_weight: Weight of the tokens' mean loss, beta in the paper.
    """

    def __init__(self, token_weight: float = 0.5) -> None:
        super().__init__()
        self.token_weight = token_weight

    def forward(
        self,
        logits: Tensor,
        token_logits: Tensor,
        scores: Tensor,
        token_scores: Tensor,
    ) -> dict[str, Tensor]:
        """Shape: logits, scores (B, K), those of the tokens (B, N, K)."""
        image = F.cross_entropy(logits, scores)
        tokens = F.cross_entropy(
            token_logits.flatten(0, 1), token_scores.flatten(0, 1)
        )
        return dict(loss_image=image, loss_tokens=self.token_weight * tokens)
