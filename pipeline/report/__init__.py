"""Evidence to plain words: the alert as its reader has it, and what a person is told of it."""
