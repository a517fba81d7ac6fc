"""Evidence on a visit, and who may pass which door when."""
