"""`langchain-prodkit scan`: judge files for prompt injection, in bounded memory and without quoting them."""
