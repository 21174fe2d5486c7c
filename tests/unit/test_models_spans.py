"""A span selects the same tokens regardless of the rest of the batch."""

import torch

from eyechart.models.spans import Tokens, by_image, keep, pad, pool, text_masks, vision_masks

IMAGE, PAD = 9, 0
CLOSER = 7
# system text, two image tokens, a row mark between them, question
LONG = [1, 2, IMAGE, 3, IMAGE, 4, 5, 6]
SHORT = [1, IMAGE, 4]


def masks(rows, image_first=True):
    ids, valid = pad(rows, PAD)
    image = (ids == IMAGE) & valid
    return text_masks(Tokens(ids, valid, image), image | (ids == CLOSER), image_first)


def places(mask):
    return [torch.nonzero(row).flatten().tolist() for row in mask]


def test_each_span_selects_its_tokens():
    found = masks([LONG, SHORT])
    assert places(found["image_mean"]) == [[2, 4], [1]]
    assert places(found["text_mean"]) == [[5, 6, 7], [2]]
    assert places(found["last"]) == [[7], [2]]
    assert places(found["all_mean"]) == [list(range(8)), [0, 1, 2]]


def test_text_alone_has_text_and_no_image_tokens():
    found = masks([[1, 2, 3], SHORT])
    assert places(found["text_mean"])[0] == [0, 1, 2]
    assert places(found["image_mean"])[0] == []


def test_text_before_the_image_belongs_to_the_text_span():
    assert places(masks([[1, 2, IMAGE, 3]], image_first=False)["text_mean"]) == [[0, 1, 3]]


def test_a_pad_token_that_is_also_a_word_is_distinguished_by_position():
    found = masks([[IMAGE, PAD, 4, 5], [IMAGE, PAD]])
    assert places(found["all_mean"]) == [[0, 1, 2, 3], [0, 1]]


def test_pads_never_enter_a_mean():
    hidden = torch.randn(2, 8, 5)
    both = pool(hidden, masks([LONG, SHORT]))
    alone = pool(hidden[1:, :3], masks([SHORT]))
    for span, values in alone.items():
        torch.testing.assert_close(both[span][1:], values, rtol=0, atol=1e-6)
    torch.testing.assert_close(both["last"][1], hidden[1, 2], rtol=0, atol=0)


def test_pooling_half_precision_sums_in_float32():
    hidden = torch.full((1, 4096, 2), 1.001, dtype=torch.float16)
    mean = pool(hidden, {"all_mean": torch.ones(1, 4096, dtype=torch.bool)})["all_mean"]
    torch.testing.assert_close(mean, hidden[:, 0].float(), rtol=1e-6, atol=0)


def test_an_images_end_token_is_not_image_or_text():
    found = masks([[1, IMAGE, IMAGE, CLOSER, 4, 5]])
    assert places(found["image_mean"]) == [[1, 2]]
    assert places(found["text_mean"]) == [[4, 5]]
    assert places(masks([[4, IMAGE, CLOSER, 5]], image_first=False)["text_mean"]) == [[0, 3]]


def test_an_encoders_class_token_and_registers_are_not_patches():
    valid = torch.ones(2, 5, dtype=torch.bool)
    found = vision_masks(valid, 1, 5)
    assert places(found["cls"]) == [[0], [0]]
    assert places(found["image_mean"]) == [[1, 2, 3, 4]] * 2
    assert places(vision_masks(valid, 0, 5)["image_mean"]) == [[0, 1, 2, 3, 4]] * 2
    assert places(vision_masks(valid, 3, 5)["image_mean"]) == [[3, 4]] * 2


def test_each_tile_has_a_class_token_and_pads_belong_to_none():
    valid = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    found = vision_masks(valid, 1, 3)
    assert places(found["cls"]) == [[0, 3], [0]]
    assert places(found["image_tokens"]) == [[1, 2, 4, 5], [1, 2]]


def test_tiles_and_packed_patches_are_divided_by_image():
    tiles = torch.arange(12.0).reshape(3, 2, 2)  # the second image has two tiles
    hidden, valid = by_image(tiles, [1, 2])
    assert torch.equal(hidden[1], tiles[1:].reshape(4, 2))
    assert torch.equal(hidden[0, :2], tiles[0])
    assert valid.tolist() == [[True, True, False, False], [True] * 4]
    merged, valid = by_image(torch.arange(6.0).reshape(3, 2), [4, 8])  # four patches per row
    assert torch.equal(merged[0, :1], torch.tensor([[0.0, 1.0]]))
    assert valid.sum(dim=1).tolist() == [1, 2]


def test_all_tokens_are_kept_in_order_per_row():
    hidden = torch.randn(2, 8, 5)
    long, short = keep(hidden, masks([LONG, SHORT])["image_tokens"])
    assert torch.equal(long, hidden[0, [2, 4]])
    assert torch.equal(short, hidden[1, [1]])
