"""Private: image collections over time: queries, listings, versions, drift, waiting."""
