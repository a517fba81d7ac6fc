"""Error rates on labelled images: `facegate evaluate`."""
