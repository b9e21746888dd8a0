"""What happens in a worker: a run's course, what it leaves, how it goes on after a kill."""
