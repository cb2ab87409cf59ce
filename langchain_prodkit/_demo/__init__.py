"""`langchain-prodkit demo`: a support desk on which all five pieces can be watched at work."""
