"""From photos, a clip or a camera to good templates, or a refusal with a reason."""
