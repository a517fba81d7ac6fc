"""Workbooks (.xlsx) read as a list: the first sheet's rows, as people see them."""
