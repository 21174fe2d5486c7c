"""Questions packed in one row keep their positions, and attend only to prefix and themselves."""

import torch

from eyechart.inference.packing import fill, pack

CPU = torch.device("cpu")
ROWS = [[[7, 7, 7], [8]], [[5, 5]]]


def test_a_token_attends_to_the_prefix_and_its_questions_earlier_tokens():
    past = torch.tensor([[True, True], [True, False]])
    sees = pack(ROWS, CPU).mask(past)
    assert sees.shape == (2, 4, 6)
    assert [torch.nonzero(row).flatten().tolist() for row in sees[0]] == [
        [0, 1, 2],
        [0, 1, 2, 3],
        [0, 1, 2, 3, 4],
        [0, 1, 5],
    ]
    assert [torch.nonzero(row).flatten().tolist() for row in sees[1][:2]] == [[0, 2], [0, 2, 3]]
    assert sees.any(dim=2).all()  # a padding token without keys would be NaN


def test_positions_restart_with_each_question():
    assert pack(ROWS, CPU).offset[0].tolist() == [0, 1, 2, 0]


def test_each_question_has_its_own_spans_and_padding_has_none():
    masks, exists = pack(ROWS, CPU).spans()
    assert exists.tolist() == [[True, True], [True, False]]
    assert masks["text_mean"][0].int().tolist() == [[1, 1, 1, 0], [0, 0, 0, 1]]
    assert masks["last"][0].int().tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]
    assert masks["last"][1][0].int().tolist() == [0, 1, 0, 0]


def test_groups_keep_the_order_and_the_size_limit():
    lengths = [3, 2, 9, 1, 1, 4]
    groups = list(fill(range(6), lengths, 6))
    assert groups == [[0, 1], [2], [3, 4, 5]]
    assert list(fill([], [], 6)) == []
