"""Does long-context writing outside cost less than a call in-runtime? An experiment, answered from the ledger alone."""
