"""The product's benchmark: cases, the servers and data they need, and the tables of what came out.

Only the standard library, so that it runs beside any installation of the program it measures.
"""
