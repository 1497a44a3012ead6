"""Backups that prove themselves: made of one snapshot, described by a manifest, restored and compared in drills."""
