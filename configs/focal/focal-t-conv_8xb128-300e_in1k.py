# Overlapping patch embeddings: in the release, not in the paper.
_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(conv_embed=True))
