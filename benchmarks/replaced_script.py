"""A script as shops have them, and as this project replaces: what a first search is compared with.

    python -m benchmarks.replaced_script INTERACTIONS.csv [--trials 20]

A Dataset in Python whose rows a DataLoader collects one by one, embeddings as wide as the largest
id, the mean squared error of their products against 1, and users who are ranked one at a time over
all these items. Optuna searches dimension, learning rate, epochs and batch size.
"""

import argparse
from pathlib import Path

import optuna
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

K = 10
SEED = 42
VALIDATION = 0.2
"""Share of each user's last events."""


class Interactions(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """The rows of a frame, each with the label 1."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._frame)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor, Tensor]:
        """User, item and label."""
        one = self._frame.iloc[row]
        return torch.tensor(one["user_id"]), torch.tensor(one["item_id"]), torch.tensor(1.0)


class TwoTowers(nn.Module):
    """The product of an embedding of the user and one of the item."""

    def __init__(self, num_users: int, num_items: int, dim: int) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(num_users, dim), nn.Embedding(num_items, dim)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """[batch] scores."""
        return (self.users(user) * self.items(item)).sum(dim=1)


def split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The earlier events of each user, and the last ones."""
    ordered = frame.sort_values(["user_id", "timestamp"])
    place = ordered.groupby("user_id").cumcount(ascending=False)
    size = ordered.groupby("user_id")["item_id"].transform("size")
    last = place < size * VALIDATION
    columns = ["user_id", "item_id"]
    return ordered.loc[~last, columns], ordered.loc[last, columns]


def recall(model: TwoTowers, train: pd.DataFrame, held_out: pd.DataFrame, num_items: int) -> float:
    """Mean share of what a user chose later that is among their first K new items."""
    found = []
    items = torch.arange(num_items)
    for user, rows in held_out.groupby("user_id"):
        seen = set(train.loc[train["user_id"] == user, "item_id"])
        with torch.no_grad():
            scores = model(torch.full((num_items,), int(str(user))), items)
        ranked = [item for item in scores.argsort(descending=True).tolist() if item not in seen]
        relevant = set(rows["item_id"]) - seen
        if relevant:
            found.append(len(relevant & set(ranked[:K])) / len(relevant))
    return sum(found) / len(found)


def main() -> None:
    """Search, and print the best trial."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--trials", type=int, default=20)
    arguments = parser.parse_args()
    frame = pd.read_csv(arguments.interactions)
    train, held_out = split(frame)
    num_users, num_items = int(frame["user_id"].max()) + 1, int(frame["item_id"].max()) + 1

    def objective(trial: optuna.Trial) -> float:
        torch.manual_seed(SEED)
        model = TwoTowers(num_users, num_items, trial.suggest_int("dim", 8, 64, step=8))
        lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
        optimizer, criterion = torch.optim.Adam(model.parameters(), lr=lr), nn.MSELoss()
        epochs = trial.suggest_int("epochs", 3, 15)
        batch_size = trial.suggest_categorical("batch_size", [128, 256, 512])
        loader = DataLoader(Interactions(train), batch_size=batch_size, shuffle=True)
        for _ in range(epochs):
            for user, item, label in loader:
                optimizer.zero_grad()
                criterion(model(user, item), label).backward()
                optimizer.step()
        return recall(model, train, held_out, num_items)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED))
    study.optimize(objective, n_trials=arguments.trials)
    print(study.best_value, study.best_params)


if __name__ == "__main__":
    main()
