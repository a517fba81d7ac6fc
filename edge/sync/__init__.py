"""Events, roster and commands over MQTT; the only place that imports paho."""
