# Table 7, windows of 14 tokens. The paper leaves the regions open: 3 fine
# tokens more on each side where the map has more than one window, and as many
# coarse tokens as Table 1 has for maps of as many windows. Stage 4 keeps 7,
# which covers its map.
_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(
    backbone=dict(
        overrides=dict(
            window_sizes=(14, 14, 14, 7),
            focal_windows=((1, 14), (1, 14), (1, 14), (1, 7)),
            focal_regions=((20, 5), (20, 3), (14, 1), (7, 1)),
        )
    )
)
