"""The faults: `make faults`. What outages really do to the business's data, by really having them."""
