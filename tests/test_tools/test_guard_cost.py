"""tools/dev/guard_cost.py on a tiny model."""

import json
from pathlib import Path

import pytest

from tests.support.helpers import load_tool
from tests.support.tiny import tiny_config, write_config


def test_guard_cost_compares(config, scenes, capsys, fresh_runs) -> None:
    tool = load_tool('dev/guard_cost')
    name = write_config(
        tiny_config('cls', scenes), Path(config('cls')).with_name('data.py')
    )
    args = ['--iters', '4', '--warmup', '1', '--rounds', '2', '--json']
    assert tool.main([name, *args]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found['ratio'] == pytest.approx(
        found['guarded'] / found['plain'], rel=0.5
    )
