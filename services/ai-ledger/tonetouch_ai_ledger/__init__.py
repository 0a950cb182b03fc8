"""What AI did and cost: the AIJobs table."""
