"""A causal transformer over the vectors of a user's last items.

Sources: next items by self-attention: Kang and McAuley, "SASRec", ICDM 2018; normalisation before
each layer: Xiong et al., ICML 2020; its training by sampled softmax: Klenitskiy and Vasilev,
"Turning dross into gold loss", RecSys 2023.
"""

import math
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]
"""Those whose gradients are deterministic on every device."""


class SequenceEncoder(nn.Module):
    """Vectors of a user after each of their items."""

    def __init__(self, dim: int, length: int, blocks: int, heads: int, dropout: float) -> None:
        """Build the layers, with torch's default initialisation.

        Args:
            dim: length of the vectors.
            length: items that a sequence may have.
            blocks: number of layers.
            heads: of the attention; they divide `dim`.
            dropout: rate.
        """
        super().__init__()
        self.first = nn.Parameter(torch.zeros(dim))
        self.position = nn.Embedding(length, dim)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dim, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim)

    def draw(self, std: float, generator: torch.Generator) -> None:
        """Draw all weights.

        Args:
            std: standard deviation of the elements of every matrix and of the first token.
            generator: the only source of randomness.
        """
        for name, parameter in self.named_parameters():
            # The first token too: a state of 0 would stay 0, and a cosine has no gradient there.
            if parameter.dim() > 1 or name == "first":
                nn.init.normal_(parameter, 0.0, std, generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, user: Tensor, items: Tensor, lengths: Tensor) -> Tensor:
        """The user's vector before the first item, and after each.

        Args:
            user: [batch, dim] what is known of each user besides the items.
            items: [batch, longest, dim] vectors of the items, padded at the end with anything.
            lengths: [batch] int64 items of each sequence.

        Returns:
            [batch, longest + 1, dim]; undefined past the end of a sequence.
        """
        ages = lengths.unsqueeze(1) - 1 - torch.arange(items.shape[1], device=items.device)
        # Vectors that are short enough to be ranked by are too short beside a layer's weights.
        items = items * math.sqrt(items.shape[2]) + self.position(ages.clamp(min=0))
        state = torch.cat([(user + self.first).unsqueeze(1), items], dim=1)
        state = self.dropout(state)
        for block in self.blocks:
            state = block(state)
        vectors: Tensor = self.norm(state)
        return vectors


class Block(nn.Module):
    """Self-attention, then a feed-forward layer, each added to its input."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.attended = nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, dim),
            nn.GELU(),
            nn.Linear(dim, dim),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, state: Tensor) -> Tensor:
        """[batch, length, dim] to the same; each position sees itself and those before it."""
        state = state + self.dropout(self._attend(self.attention_norm(state)))
        added: Tensor = self.dropout(self.feed_forward(state))
        return state + added

    def _attend(self, state: Tensor) -> Tensor:
        batch, length, dim = state.shape
        parts = self.query_key_value(state).view(batch, length, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        # Not where nothing is trained: it sets flags of the process, which threads share.
        with sdpa_kernel(KERNELS) if self.training else nullcontext():
            mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        attended: Tensor = self.attended(mixed.transpose(1, 2).reshape(batch, length, dim))
        return attended
