"""R20: a camera URL or stream reaches no file and no inner service, and takes one recorder at most."""
