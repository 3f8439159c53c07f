import math

import torch

from myriad.trainer.model.losses import PREDICTION_WEIGHT, token_loss

VOCAB = 11


def sure_of(tokens):
    """Logits (batch, tokens, vocabulary) that give all probability to these tokens."""
    return torch.nn.functional.one_hot(tokens, VOCAB).float() * 100.0


def test_uniform_logits_lose_the_entropy_of_the_vocabulary():
    targets = torch.randint(VOCAB, (2, 7))
    assert math.isclose(token_loss(torch.zeros(2, 1, 7, VOCAB), targets).item(), math.log(VOCAB), rel_tol=1e-6)


def test_depths_predict_further_on():
    targets = torch.randint(VOCAB, (2, 7), generator=torch.Generator().manual_seed(0))
    right = torch.stack([sure_of(targets.roll(-depth, dims=1)) for depth in range(3)], dim=1)
    assert token_loss(right, targets).item() < 1e-6
    # What a depth says of places past the end does not matter.
    right[:, 1, -1:], right[:, 2, -2:] = 0.0, 0.0
    assert token_loss(right, targets).item() < 1e-6
    uniform = torch.cat((right[:, :1], torch.zeros(2, 2, 7, VOCAB)), dim=1)
    assert math.isclose(token_loss(uniform, targets).item(), PREDICTION_WEIGHT * math.log(VOCAB), rel_tol=1e-6)
