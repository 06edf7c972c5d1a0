"""What a deal is and what may happen to it: opportunities, their setup tables, people and history."""
