"""What earlier runs saw, in a database: SQLite beside the reports, or PostgreSQL for many controllers."""
