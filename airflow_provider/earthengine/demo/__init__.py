"""The demo that ships in the wheel: an emulator, an S3 server, and one download between them."""
