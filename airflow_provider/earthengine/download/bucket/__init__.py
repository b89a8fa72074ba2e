"""One bucket: conditional reads and writes, multipart uploads, errors translated."""
