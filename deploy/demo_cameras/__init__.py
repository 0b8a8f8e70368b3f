"""The demo's own cameras: moving pictures with a burnt-in clock, offered by RTSP on this machine only. Not part of the service."""
