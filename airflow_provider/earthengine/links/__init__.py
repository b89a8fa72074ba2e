"""Private, may change in any release: the buttons on a task's page that lead elsewhere."""
