"""`--provenance`: which photograph an image was cut from, found by its pixels."""
