"""Built-in search for collective schedules."""
