"""`mmvit://NAME`: the names, and what they stand for."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from mmvit.checkpoints import FAMILIES
from mmvit.checkpoints.released import released_files
from mmvit.checkpoints.zoo import fetch
from tests.support.config_tools import CONFIGS, METAFILES, models_in
from tests.support.helpers import run_python


def test_all_released_files_have_a_name():
    files = released_files()
    families = [released.family for released in files.values()]
    counts = {family: families.count(family) for family in FAMILIES}
    assert counts == dict(pvt=18, focal=9, scalablevit=3, hlg=4, setr=19)
    for name, released in files.items():
        assert released.addresses, name
        assert all(a.startswith('https://') for a in released.addresses)
        assert released.printed or released.note, name


def test_a_name_is_that_of_its_config():
    for name, released in released_files().items():
        if not released.config:
            continue
        assert (CONFIGS / released.config).is_file(), name
        config = re.sub('-released|released-', '', Path(released.config).stem)
        short = re.sub(r'_\d+xb[^_]*|-\d+x\d+$', '', config)
        assert re.sub(r'_(40k|80k|b8|b16)_', '_', name) == short


def test_metafiles_name_the_files():
    weights = {
        model['Config']: model['Weights']
        for metafile in METAFILES
        for model in models_in(metafile)
        if 'Weights' in model
    }
    configs = {
        f'mmvit://{name}': f'configs/{released.config}'
        for name, released in released_files().items()
        if released.config
    }
    for config, name in weights.items():
        assert configs[name] == config
    assert set(weights) == set(configs.values())


def test_an_unknown_name():
    with pytest.raises(ValueError, match="no 'pvt-s_in2k'; near it: pvt-s_in"):
        fetch('mmvit://pvt-s_in2k')


def test_the_command_lists_all_names():
    done = run_python('-X', 'importtime', '-m', 'mmvit.checkpoints.zoo')
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(released_files())
    assert 'top-1 79.8  configs/pvt/pvt-s_8xb128-300e_in1k.py' in done.stdout
    assert 'import time' in done.stderr
    assert not re.search(r'\| +(torch|mmengine)\n', done.stderr)


@pytest.mark.filterwarnings('ignore:.*found in sys.modules')
def test_the_command_refuses_another_name(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['zoo', 'pvt-x_in1k'])
    with pytest.raises(SystemExit, match="the zoo has no 'pvt-x_in1k'; near"):
        runpy.run_module('mmvit.checkpoints.zoo', run_name='__main__')
