"""The figures of a report, one per file: each makes its table of data and draws that table."""
