"""What the embedded engines are called in the ledger: a change of a constant, a rule or a weight is a new version."""

EMBEDDING = "wordllama-256+ngrams-768@1"
DESCRIBING = "measured-picture@1"
WRITING = "patterns-over-facts@1"
