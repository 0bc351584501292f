"""Uploads: plan, then insert, resumable or multipart upload of each file, with a checkpoint for the next run."""
