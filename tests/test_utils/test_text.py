from mmvit.utils.text import some_of


def test_some_of():
    assert some_of([]) == ''
    assert some_of(list('abcde')) == 'a, b, c, d, e'
    assert some_of(list('abcdefg')) == 'a, b, c, d, e and 2 more'
    assert some_of(('x', 'y'), shown=1) == 'x and 1 more'
