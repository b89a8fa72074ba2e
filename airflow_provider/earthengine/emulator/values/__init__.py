"""What expressions evaluate to: images, geometries, elements, pixels."""
