"""`langchain-prodkit eval`: score, gate, generate questions and look at results, with exit codes for CI."""
