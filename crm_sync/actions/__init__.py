"""What an admin does with a connection besides its transfer: pause, retry, repair, preview, delete."""
