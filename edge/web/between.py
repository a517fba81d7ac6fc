"""What a page's two processes tell each other about a request, in headers that never leave them."""

from __future__ import annotations

COOKIE = "__Host-facegate"
"""The browser's session; the prefix binds it to this very host, over TLS, for all paths."""

LANGUAGE_COOKIE = "facegate-language"
"""The language that was chosen on a page: the code of one of ours."""

SESSION_HEADER = "facegate-session"
"""With an answer: `known` when somebody is logged in, else `new`. Only the known send large bodies."""

TOO_LARGE_HEADER = "facegate-too-large"
"""With a request whose body was left unread: its size in bytes, or `unknown` when it did not say."""

STREAM = "text/event-stream"
"""What an `EventSource` accepts: an answer that goes on while its page is open, in a place of its own."""
