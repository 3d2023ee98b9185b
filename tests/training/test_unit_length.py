import torch

from twotower.training.unit_length import unit_length


def test_value_and_gradient_are_those_of_normalize() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors, weight = torch.randn(2, 300, 33, generator=generator)
    found = []
    for function in (unit_length, torch.nn.functional.normalize):
        inputs = vectors.clone().requires_grad_()
        outputs = function(inputs)
        (outputs * weight).sum().backward()
        found.append((outputs.detach(), inputs.grad))
    (ours, of_ours), (theirs, of_theirs) = found
    assert torch.equal(ours, theirs)
    assert torch.equal(of_ours, of_theirs)


def test_a_vector_of_zero_stays_zero_and_learns_nothing() -> None:
    vectors = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    outputs = unit_length(vectors)
    (outputs * torch.tensor([1.0, 2.0])).sum().backward()
    assert outputs.tolist() == [[0.0, 0.0], [0.6000000238418579, 0.800000011920929]]
    assert vectors.grad[0].tolist() == [0.0, 0.0]
