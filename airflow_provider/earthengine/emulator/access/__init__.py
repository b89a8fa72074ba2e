"""Access control: identities, tokens, admission, quotas."""
