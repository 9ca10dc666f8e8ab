"""The report of a plan for people and spreadsheets: one page, three tables, one document."""
