"""Lists made from likeness: mixes, radio, paths and alchemy, and the record of each that was served."""
