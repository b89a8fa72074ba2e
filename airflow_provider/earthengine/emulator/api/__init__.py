"""Earth Engine's REST API: routes, requests, answers."""
