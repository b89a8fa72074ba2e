"""Private, may change in any release: one download, from its fields to its item.

Imports nothing of Airflow. The rooms in the order of the journey: ``fields``, ``transport`` and
``client``, then ``plan`` and ``bucket``, ``raster``, ``fetch``, ``publish``.
"""
