"""What Switchhook costs and how fast it is, each beside a raw loop in the same run. `./switchhook bench NAME`."""
