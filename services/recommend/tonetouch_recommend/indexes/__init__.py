"""The vector indexes as projections: what each holds, how they follow the tables, and how they are made anew."""
