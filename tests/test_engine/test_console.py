"""What a run shows on the screen before it begins."""

import re

import pytest

from tests.support.tiny import tiny_config


@pytest.mark.slow
def test_few_lines_before_the_first_iteration(command, scenes, capfd):
    cfg = tiny_config('det', scenes)
    work_dir = command('train', cfg)
    streams = capfd.readouterr()
    lines = (streams.out + streams.err).splitlines()
    first = [n for n, line in enumerate(lines) if 'Iter(train)' in line][0]
    assert first <= 40, lines[:first]
    shown = '\n'.join(lines[:first])
    (log,) = work_dir.glob('*/*.log')
    for name in ('Environment', 'Config', 'Hooks'):
        number = re.search(rf'{name}: (\d+) lines in {log}', shown)[1]
        assert int(number) > 5
    text = log.read_text()
    assert 'runner_type' in text and 'System environment' in text
    assert 'Hooks will be executed' in text
