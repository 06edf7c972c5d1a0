"""Boards: which cards are shown, in which columns, and what dropping a card on a column means."""
