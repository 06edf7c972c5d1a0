"""The benchmark: `make bench`. What the board and a move cost, beside the least that the same work can cost."""
