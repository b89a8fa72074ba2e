"""Who may ask, and how much: identities, tokens, admission, quotas."""
