# Overlapping patch embeddings, which the release has and the paper does not
# mention.
_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(conv_embed=True))
