"""A hub to be killed: stores each event once in SQLite, then acknowledges. Arguments: database, port."""

import json
import sqlite3
import sys
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


class Sink:
    def __init__(self, path, port):
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = FULL")
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS events (device, stream, seq, hash, PRIMARY KEY (device, stream, seq))"
        )
        self.database.execute("CREATE TABLE IF NOT EXISTS again (seq)")
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="sink", protocol=mqtt.MQTTv5, manual_ack=True
        )
        self.client.on_connect = lambda client, *_: client.subscribe("facegate/v1/+/evt", qos=1)
        self.client.on_message = self.on_message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", port)

    def on_message(self, client, _userdata, message):
        device = message.topic.split("/")[2]
        found = json.loads(message.payload)
        events = found if isinstance(found, list) else [found]
        self.database.execute("BEGIN")
        for event in events:
            row = (device, event["stream"], event["seq"], event["hash"])
            if self.database.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", row).rowcount == 0:
                self.database.execute("INSERT INTO again VALUES (?)", (event["seq"],))
        self.database.execute("COMMIT")
        stream = events[0]["stream"]
        ack = json.dumps({"stream": stream, "upto": self.upto(device, stream)})
        client.publish(f"facegate/v1/{device}/evt/ack", ack, qos=1)
        client.ack(message.mid, message.qos)

    def upto(self, device, stream):
        sql = "SELECT seq FROM events WHERE device = ? AND stream = ? ORDER BY seq"
        upto = 0
        for (seq,) in self.database.execute(sql, (device, stream)):
            if seq != upto + 1:
                break
            upto = seq
        return upto


sink = Sink(sys.argv[1], int(sys.argv[2]))
sink.client.loop_start()
while True:
    time.sleep(1)
