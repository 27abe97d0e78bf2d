"""The recipe of early stopping, and the best checkpoint."""

from tests.support.config_tools import CONFIGS, config_of
from tests.support.toy import toy_runner

RECIPES = config_of(CONFIGS / '_base_/runtime/recipes.py')


def test_early_stopping_and_the_best_checkpoint(tmp_path, fresh_runs):
    scores = [0.50, 0.52, 0.51, 0.50, 0.51, 0.9, 0.9]
    stop = dict(
        RECIPES._early_stopping, monitor='score', patience=3, rule='greater'
    )
    keep = dict(RECIPES._best_segmentor, save_best='score', rule='greater')
    runner = toy_runner(
        tmp_path, 7, scores, checkpoint=keep, custom_hooks=[stop]
    )
    runner.train()
    assert runner.epoch == 5, 'three times no better'
    names = sorted(path.name for path in tmp_path.glob('*.pth'))
    assert names == ['best_score_epoch_2.pth', 'epoch_4.pth', 'epoch_5.pth']
