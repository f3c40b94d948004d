"""A training's state comes back as it was, with no code in it."""

from pathlib import Path

import torch

from trainer.state_files import has_state, load_state, save_state


def test_a_state_comes_back_with_its_keys_its_types_and_shared_weights(tmp_path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    state = {
        "model": {"embedding": shared, "head": shared},
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}, 12: {}}, "param_groups": [{"params": [0, 12]}]},
        "best_loss": float("inf"),
        "scale": torch.ones(2, dtype=torch.bfloat16),
        "nothing": None,
    }
    assert not has_state(tmp_path)
    save_state(tmp_path, state)
    assert has_state(tmp_path)
    back = load_state(tmp_path, "cpu")
    assert back["optimizer"]["state"].keys() == {0, 12}
    assert back["optimizer"]["param_groups"] == [{"params": [0, 12]}]
    assert (back["best_loss"], back["nothing"]) == (float("inf"), None)
    assert back["scale"].dtype == torch.bfloat16
    assert torch.equal(back["model"]["head"], shared)
    assert back["optimizer"]["state"][0]["step"].shape == ()


def test_an_optimizer_goes_on_from_its_saved_state_as_if_undisturbed(tmp_path: Path) -> None:
    def stepped(optimizer: torch.optim.Optimizer, weight: torch.Tensor) -> None:
        weight.grad = weight.detach().clone()
        optimizer.step()

    undisturbed, resumed = (torch.nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2))
    first, second = torch.optim.AdamW([undisturbed]), torch.optim.AdamW([resumed])
    for optimizer, weight in ((first, undisturbed), (second, resumed)):
        stepped(optimizer, weight)
    save_state(tmp_path, {"optimizers": [second.state_dict()]})
    second = torch.optim.AdamW([resumed], lr=1.0)
    second.load_state_dict(load_state(tmp_path, "cpu")["optimizers"][0])
    for optimizer, weight in ((first, undisturbed), (second, resumed)):
        stepped(optimizer, weight)
    assert torch.equal(undisturbed, resumed)
