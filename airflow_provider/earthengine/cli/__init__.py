"""The command line: what needs no scheduler, no database and no DAG."""
