"""What every web page of the project stands on: request guard, logins, sessions, accounts, TLS, server."""
