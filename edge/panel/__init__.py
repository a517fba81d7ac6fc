"""The web page of one door: enrol, look, withdraw; for installers, staff and auditors."""
