"""A node that rings a bell over HTTP and goes on when somebody has answered the door."""
