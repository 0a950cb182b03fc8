"""The one HTTP door: it keeps nothing, asks the services over the bus, and streams bytes from the object store."""
