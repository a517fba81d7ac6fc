"""The one place with the site's signing key: who asks is known, what they may is checked, then it signs."""
