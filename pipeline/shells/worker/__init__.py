"""The worker: Faust around the pure functions, so that what is said is said once in effect."""
