"""A connection to an MQTT broker that is kept open; the only place that imports paho."""
