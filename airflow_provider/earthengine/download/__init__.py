"""The journey of a download, one module a step, in the order a download travels.

params -> image -> grid -> plan -> retry -> fetch -> verify -> assemble -> publish -> item: each
module imports only earlier ones, and none imports Airflow.
"""
