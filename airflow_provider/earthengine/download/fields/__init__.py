"""The operator's fields -> checked values. DAG files import it: nothing heavy here."""
