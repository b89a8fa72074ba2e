"""The three kinds of key in the form that Google gives them out; their secrets say SECRETSECRET."""

from __future__ import annotations

AUDIENCE = (
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/idp"
)

KEY = {
    "type": "service_account",
    "project_id": "of-the-key",
    "client_email": "robot@of-the-key.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n",
    "token_uri": "https://oauth2.googleapis.com/token",
}
REFRESH_TOKEN = {
    "type": "authorized_user",
    "client_id": "1.apps.example",
    "client_secret": "SECRETSECRET",
    "refresh_token": "1//SECRETSECRET",
}
FEDERATION = {
    "type": "external_account",
    "audience": AUDIENCE,
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {
        "url": "http://169.254.169.254/token",
        "headers": {"Metadata": "Always", "Authorization": "SECRETSECRET"},
    },
}
