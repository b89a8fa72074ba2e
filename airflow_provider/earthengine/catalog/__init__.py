"""Private, may change in any release: image collections over time."""
