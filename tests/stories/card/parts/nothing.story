# A blank card, and nothing done to it.
